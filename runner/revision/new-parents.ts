import { buildFactBase, encodeId, type Fact, type FactBase, type StableId } from "@supabase/pg-delta/core";

/** What a table is made of where nothing but its place above others matters: its columns, and what those need. */
function collect(models: FactBase, id: StableId, present: FactBase, found: Map<string, Fact>): void {
  const fact = models.get(id);
  const key = encodeId(id);
  if (fact === undefined || present.has(id) || found.has(key)) return;
  found.set(key, fact);
  if (fact.parent !== undefined) collect(models, fact.parent, present, found);
  for (const child of models.childrenOf(id))
    if (["column", "default", "typeAttribute"].includes(child.id.kind))
      collect(models, child.id, present, found);
  for (const { to } of models.outgoingEdges(id)) collect(models, to, present, found);
}

/** A schema with tables of the models besides, without keys and indexes. Pure. */
export function withNewParents(present: FactBase, models: FactBase, parents: readonly StableId[]): FactBase {
  const found = new Map<string, Fact>();
  for (const id of parents) collect(models, id, present, found);
  const has = (id: StableId) => present.has(id) || found.has(encodeId(id));
  const edges = models.edges.filter(({ from, to }) => found.has(encodeId(from)) && has(to));
  return buildFactBase([...present.facts(), ...found.values()], [...present.edges, ...edges], present.source);
}
