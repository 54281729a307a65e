//! A configuration of any shape as sections of named values, as its file has them.

export interface Section {
  /** As in `[http]`; empty for what stands before all sections. */
  readonly name: string;
  readonly settings: readonly (readonly [name: string, value: string])[];
}

export function settingsOf(config: unknown): readonly Section[] {
  if (!isTable(config)) return [];
  const general: (readonly [string, string])[] = [];
  const sections: Section[] = [];
  for (const [name, value] of Object.entries(config)) {
    if (isTable(value)) sections.push({ name, settings: flatten('', value) });
    else general.push([name, textOf(value)]);
  }
  return general.length === 0 ? sections : [{ name: '', settings: general }, ...sections];
}

function flatten(prefix: string, table: Readonly<Record<string, unknown>>): readonly (readonly [string, string])[] {
  return Object.entries(table).flatMap(([name, value]) =>
    isTable(value) && Object.keys(value).length > 0 ? flatten(`${prefix}${name}.`, value) : [[prefix + name, textOf(value)] as const],
  );
}

/** What is not set has no value; texts stand without quotes. */
function textOf(value: unknown): string {
  if (value === null || value === undefined || value === '') return '–';
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function isTable(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
