/** A program as a drawing: nodes in layers, each below all that it takes values from. */
import { type Markup, markup } from "./markup.ts";
import type { DrawnNode } from "./trace.ts";

const nodeWidth = 104;
const nodeHeight = 20;
const gapX = 12;
const gapY = 26;

interface Placed {
  readonly node: DrawnNode;
  readonly x: number;
  readonly y: number;
}

/** Longest way from a node without operands. */
function layersOf(nodes: readonly DrawnNode[]): ReadonlyMap<number, number> {
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const layers = new Map<number, number>();
  const layerOf = (node: DrawnNode): number => {
    const known = layers.get(node.id);
    if (known !== undefined) return known;
    layers.set(node.id, 0);
    const below = node.from.flatMap((id) => byId.get(id) ?? []).map(layerOf);
    const layer = Math.max(-1, ...below) + 1;
    layers.set(node.id, layer);
    return layer;
  };
  for (const node of nodes) layerOf(node);
  return layers;
}

function place(nodes: readonly DrawnNode[]): readonly Placed[] {
  const layers = layersOf(nodes);
  const filled: number[] = [];
  return nodes.map((node) => {
    const layer = layers.get(node.id) as number;
    const column = filled[layer] ?? 0;
    filled[layer] = column + 1;
    return { node, x: column * (nodeWidth + gapX), y: layer * (nodeHeight + gapY) };
  });
}

const maxLabel = 15;
const label = (op: string): string => (op.length > maxLabel ? `${op.slice(0, maxLabel - 1)}…` : op);

export function graphSvg(nodes: readonly DrawnNode[]): Markup {
  const placed = place(nodes);
  const at = new Map(placed.map((each) => [each.node.id, each]));
  const width = Math.max(0, ...placed.map(({ x }) => x)) + nodeWidth + 2;
  const height = Math.max(0, ...placed.map(({ y }) => y)) + nodeHeight + 2;
  const edges = placed.flatMap(({ node, x, y }) =>
    node.from.flatMap((id) => {
      const from = at.get(id);
      if (from === undefined) return [];
      const [x1, y1] = [from.x + nodeWidth / 2, from.y + nodeHeight];
      const [x2, y2] = [x + nodeWidth / 2, y];
      const bend = `${x1},${y1 + gapY / 2} ${x2},${y2 - gapY / 2}`;
      return [markup`<path class="edge" d="M${x1},${y1} C${bend} ${x2},${y2}"/>`];
    }),
  );
  const boxes = placed.map(
    ({ node, x, y }) =>
      markup`<g class="node"><title>${node.op} #${node.id}</title><rect x="${x}" y="${y}" width="${nodeWidth}" height="${nodeHeight}" rx="4"/><text x="${x + nodeWidth / 2}" y="${y + 14}">${label(node.op)}</text></g>`,
  );
  return markup`<svg class="graph" viewBox="-1 -1 ${width} ${height}" width="${width}" height="${height}" role="img" aria-label="the nodes of the program">${edges}${boxes}</svg>`;
}
