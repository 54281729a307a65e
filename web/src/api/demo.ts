//! Demo rooms: opened by anybody where the server allows it, each member with a token of its own.

export type Template = 'call' | 'meeting' | 'class-large' | 'show';

export interface DemoRoom {
  readonly room: string;
  readonly token: string;
}

/** `off`: there are none here, or not this one; `busy`: too many were opened; `away`: no answer. */
export type DemoProblem = 'off' | 'busy' | 'failed' | 'away';

export type DemoAnswer<T> = ({ readonly ok: true } & T) | { readonly ok: false; readonly problem: DemoProblem };

export function openDemoRoom(template: Template, name: string): Promise<DemoAnswer<DemoRoom>> {
  return post('/demo/rooms', { template, name }, (body) => {
    const { room, token } = body;
    return typeof room === 'string' && typeof token === 'string' ? { room, token } : undefined;
  });
}

export function joinDemoRoom(room: string, name: string): Promise<DemoAnswer<{ readonly token: string }>> {
  return post(`/demo/rooms/${encodeURIComponent(room)}/tokens`, { name, role: 'guest' }, ({ token }) =>
    typeof token === 'string' ? { token } : undefined,
  );
}

async function post<T>(url: string, body: object, read: (body: Record<string, unknown>) => T | undefined): Promise<DemoAnswer<T>> {
  try {
    const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
    if (!response.ok) return { ok: false, problem: problemOf(response.status) };
    const value = read((await response.json()) as Record<string, unknown>);
    return value === undefined ? { ok: false, problem: 'failed' } : { ok: true, ...value };
  } catch (error) {
    return { ok: false, problem: error instanceof SyntaxError ? 'failed' : 'away' };
  }
}

function problemOf(status: number): DemoProblem {
  if (status === 404) return 'off';
  return status === 429 ? 'busy' : 'failed';
}
