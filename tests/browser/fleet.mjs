// A scenario in which no two nodes are alike: node fleet.mjs NODES. The same number gives the same text.
//
// Eight GPUs a node, each cut in one of a few ways, with about half of the instances in use and a few units that wait.

const LAYOUTS = [
  [["1g.10gb", 0, 1, 2, 3, 4, 5, 6]],
  [["2g.20gb", 0, 2, 4], ["1g.10gb", 6]],
  [["3g.40gb", 0, 4]],
  [["7g.80gb", 0]],
  [["2g.20gb", 0, 2], ["3g.40gb", 4]],
  [["4g.40gb", 0], ["3g.40gb", 4]],
  [["1g.10gb", 0, 1, 2, 3], ["3g.40gb", 4]],
];
const DEMANDS = { chat: "1g.10gb", embed: "2g.20gb", rerank: "3g.40gb", batch: "4g.40gb", llm: "7g.80gb" };
const OF_PROFILE = Object.fromEntries(Object.entries(DEMANDS).map(([name, profile]) => [profile, name]));
const GPUS = 8;

// Numerical Recipes' linear congruential generator: good enough to be different.
let seed = 1;
const below = (most) => {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return Math.floor((seed / 2 ** 32) * most);
};

const nodes = Number(process.argv[2]);
if (!Number.isInteger(nodes) || nodes < 1) {
  console.error("how many nodes? (expected like: node fleet.mjs 5000)");
  process.exit(2);
}
const asked = Object.fromEntries(Object.keys(DEMANDS).map((name) => [name, 0]));
const state = [];
for (let node = 0; node < nodes; node += 1) {
  const layouts = Array.from({ length: GPUS }, () => LAYOUTS[below(LAYOUTS.length)]);
  const texts = layouts.map((layout) => layout.map(([profile, ...starts]) => `${profile}=${starts.length}`).join(","));
  state.push(`- node: gpu-${node}`, "  recut: gpu", `  gpus: ${JSON.stringify(texts)}`, "  pods:");
  const before = state.length;
  layouts.forEach((layout, gpu) => {
    for (const [profile, ...starts] of layout) {
      for (const start of starts.filter(() => below(2) === 0)) {
        const demand = OF_PROFILE[profile];
        state.push(`  - {demand: ${demand}, name: ${demand}-${asked[demand]}, on: [{gpu: ${gpu}, profile: ${profile}, start: ${start}}]}`);
        asked[demand] += 1;
      }
    }
  });
  if (state.length === before) state.pop();
}
const demand = Object.entries(DEMANDS).map(
  ([name, profile]) => `- {name: ${name}, profile: ${profile}, count: ${asked[name] + Math.ceil(nodes / 20)}}`,
);
console.log(`apiVersion: migsaw.io/v1alpha1
kind: Scenario
fleet:
- {pool: gpu, model: H100-80GB, nodes: ${nodes}, gpusPerNode: ${GPUS}}
demand:
${demand.join("\n")}
state:
${state.join("\n")}`);
