//! Shapes of JSON: each checks a value and gives it its type, so that a message is what its type says or is not a message.

/** A value is not of the shape; the message says where. */
export class ShapeError extends Error {}

/** Checks a value that stands at this place of a message. */
export type Shape<T> = (value: unknown, at: string) => T;

/** The type that a shape gives. */
export type Shaped<S> = S extends Shape<infer T> ? T : never;

type Fields = Readonly<Record<string, Shape<unknown>>>;
type ShapedFields<F extends Fields> = { readonly [K in keyof F]: Shaped<F[K]> };

export const text: Shape<string> = (value, at) => {
  if (typeof value !== 'string') throw new ShapeError(`${at}: no text`);
  return value;
};

export const flag: Shape<boolean> = (value, at) => {
  if (typeof value !== 'boolean') throw new ShapeError(`${at}: neither true nor false`);
  return value;
};

/** An integer that a number holds exactly. */
export const int: Shape<number> = (value, at) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw new ShapeError(`${at}: no count`);
  return value;
};

export function nullable<T>(shape: Shape<T>): Shape<T | null> {
  return (value, at) => (value === null ? null : shape(value, at));
}

export function list<T>(shape: Shape<T>): Shape<readonly T[]> {
  return (value, at) => {
    if (!Array.isArray(value)) throw new ShapeError(`${at}: no list`);
    return value.map((item: unknown, index) => shape(item, `${at}[${index}]`));
  };
}

export function oneOf<const T extends string>(...names: readonly T[]): Shape<T> {
  return (value, at) => {
    const name = names.find((known) => known === value);
    if (name === undefined) throw new ShapeError(`${at}: not one of ${names.join(', ')}`);
    return name;
  };
}

/** An object with these fields. Others are passed over: a newer server may send more. */
export function object<F extends Fields>(fields: F): Shape<ShapedFields<F>> {
  return (value, at) => {
    const from = record(value, at);
    const entries = Object.entries(fields).map(([name, shape]) => [name, shape(from[name], `${at}.${name}`)] as const);
    return Object.fromEntries(entries) as ShapedFields<F>;
  };
}

type Variants = Readonly<Record<string, Fields>>;
type Tagged<K extends string, V extends Variants> = {
  readonly [N in keyof V]: { readonly [P in K]: N } & ShapedFields<V[N]>;
}[keyof V];

/** An object whose field `key` says which others it has; undefined for a name that is not known here. */
export function tagged<const K extends string, V extends Variants>(key: K, variants: V): Shape<Tagged<K, V> | undefined> {
  const shapes = new Map(Object.entries(variants).map(([name, fields]) => [name, object(fields)] as const));
  return (value, at) => {
    const name = text(record(value, at)[key], `${at}.${key}`);
    const shape = shapes.get(name);
    return shape && ({ [key]: name, ...shape(value, `${at}:${name}`) } as Tagged<K, V>);
  };
}

/** As `tagged`, where an unknown name is a mistake. */
export function known<T>(shape: Shape<T | undefined>): Shape<T> {
  return (value, at) => {
    const result = shape(value, at);
    if (result === undefined) throw new ShapeError(`${at}: of an unknown kind`);
    return result;
  };
}

function record(value: unknown, at: string): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new ShapeError(`${at}: no object`);
  return value as Record<string, unknown>;
}
