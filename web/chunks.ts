//! Which modules the pages share as one file. Bundlers make a file for each set of pages that share something, so that a
//! new page cuts the files of all others into pieces; rooms, which share much of them all, are left out of that count.

interface ModuleFacts {
  readonly isEntry: boolean;
  readonly importers: readonly string[];
  readonly dynamicImporters: readonly string[];
}

export interface Graph {
  getModuleInfo(id: string): ModuleFacts | null;
}

const OF_ROOMS = /\/(demo\.html|src\/demo\.ts|src\/room\.ts)$/;

/** What more pages share comes first: a group takes what its modules need with it. */
export const chunkGroups = [7, 6, 5, 4, 3, 2].map((pages) => ({
  name: (id: string, graph: Graph): string | null => chunkOf(id, graph, pages),
  priority: pages,
}));

/** The name of the file for a module that so many pages share; null for any other. */
function chunkOf(id: string, graph: Graph, count: number): string | null {
  const pages = [...pagesOf(id, graph)].filter((page) => !OF_ROOMS.test(page));
  if (pages.length !== count) return null;
  const names = pages.map((page) => /([^/]+)\.\w+$/.exec(page)?.[1] ?? 'x');
  return [...new Set(names)].sort().join('-');
}

/** The entries, and what is loaded when it is needed, that cannot do without the module. */
function pagesOf(id: string, graph: Graph): ReadonlySet<string> {
  const pages = new Set<string>();
  const seen = new Set([id]);
  const queue = [id];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const facts = graph.getModuleInfo(at);
    if (facts === null) continue;
    if (facts.isEntry || facts.dynamicImporters.length > 0) pages.add(at);
    for (const importer of facts.importers) {
      if (seen.has(importer)) continue;
      seen.add(importer);
      queue.push(importer);
    }
  }
  return pages;
}
