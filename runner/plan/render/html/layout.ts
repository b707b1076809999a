import dagre from "@dagrejs/dagre";

/** The size of a box, in the units of the picture. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

/** The upper left corner of a box. */
export interface Place {
  readonly x: number;
  readonly y: number;
}

/** A box of the picture, and the boxes that it refers to. */
export interface Box extends Size {
  readonly id: string;
  readonly to: readonly string[];
}

export interface Layout extends Size {
  readonly places: ReadonlyMap<string, Place>;
}

/** Boxes that are laid out together: dagre's time rises with the square of their number and more. */
const groupSize = 25;
const gap = 48;

function neighboursOf(boxes: readonly Box[]): Map<string, Set<string>> {
  const neighbours = new Map(boxes.map(({ id }) => [id, new Set<string>()]));
  for (const { id, to } of boxes)
    for (const other of to) {
      if (other === id || !neighbours.has(other)) continue;
      neighbours.get(id)?.add(other);
      neighbours.get(other)?.add(id);
    }
  return neighbours;
}

/** What hangs together, in groups of a size that is quickly laid out; what is referred to most begins a group. */
function groupsOf(boxes: readonly Box[]): Box[][] {
  const byId = new Map(boxes.map((box) => [box.id, box]));
  const neighbours = neighboursOf(boxes);
  const degree = (id: string) => neighbours.get(id)?.size ?? 0;
  const left = new Set(boxes.map(({ id }) => id).sort((a, b) => degree(b) - degree(a)));
  const groups: Box[][] = [];
  for (const first of left) {
    left.delete(first);
    const group = [first];
    for (const id of group)
      for (const next of neighbours.get(id) ?? [])
        if (group.length < groupSize && left.delete(next)) group.push(next);
    groups.push(group.map((id) => byId.get(id) as Box));
  }
  return groups;
}

/** One group by dagre, in layers from the table that refers to the table that is referred to. */
function layOutGroup(group: readonly Box[]): Layout {
  const graph = new dagre.graphlib.Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 28, ranksep: 90 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const { id, width, height } of group) graph.setNode(id, { width, height });
  for (const { id, to } of group)
    for (const other of to) if (other !== id && graph.hasNode(other)) graph.setEdge(id, other);
  dagre.layout(graph);
  const { width = 0, height = 0 } = graph.graph() as Partial<Size>;
  const places = group.map(({ id, ...size }): [string, Place] => {
    const { x = 0, y = 0 } = graph.node(id) as Partial<Place>; // of its middle
    return [id, { x: x - size.width / 2, y: y - size.height / 2 }];
  });
  return { width, height, places: new Map(places) };
}

/** A box alone needs no layout. */
const alone = ({ id, width, height }: Box): Layout => ({
  width,
  height,
  places: new Map([[id, { x: 0, y: 0 }]]),
});

/** Puts layouts on shelves, the highest first, so that the whole is about as wide as a screen is. */
function onShelves(layouts: readonly Layout[]): Layout {
  const area = layouts.reduce((sum, { width, height }) => sum + (width + gap) * (height + gap), 0);
  const shelf = Math.max(...layouts.map(({ width }) => width), Math.sqrt(area * 1.6));
  const places = new Map<string, Place>();
  let [x, y, high, wide] = [0, 0, 0, 0];
  for (const layout of layouts.toSorted((a, b) => b.height - a.height)) {
    if (x > 0 && x + layout.width > shelf) [x, y, high] = [0, y + high + gap, 0];
    for (const [id, place] of layout.places) places.set(id, { x: x + place.x, y: y + place.y });
    x += layout.width + gap;
    high = Math.max(high, layout.height);
    wide = Math.max(wide, x - gap);
  }
  return { width: wide, height: y + high, places };
}

/** Where each box stands: groups of boxes that hang together by dagre, the groups beside each other. */
export function layOut(boxes: readonly Box[]): Layout {
  if (boxes.length === 0) return { width: 0, height: 0, places: new Map() };
  const layouts = groupsOf(boxes).map((group) =>
    group.length === 1 ? alone(group[0] as Box) : layOutGroup(group),
  );
  return onShelves(layouts);
}
