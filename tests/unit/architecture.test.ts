// Holds the layout that ARCHITECTURE.md describes: every import goes down, no circles, folders that fit on one screen.
import assert from "node:assert/strict";
import { globSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { test } from "node:test";

const files = ["index.ts", ...globSync("{cli,components,runner}/**/*.ts")];
const form =
  /^(?:import|export)(?<types> type)?[^;]*?from "(?<from>\.[^"]+)"|import\("(?<later>\.[^"]+)"\)/gms;
const imports = files.flatMap((file) =>
  [...readFileSync(file, "utf8").matchAll(form)].map(({ groups: { types, from, later } = {} }) => {
    return {
      file,
      to: normalize(join(dirname(file), (from ?? later) as string)),
      types: types !== undefined,
    };
  }),
);

const rules: readonly { from: RegExp; to: RegExp; why: string; types?: true }[] = [
  { from: /^(components|runner|index)/, to: /^cli\//, why: "the command line is on top", types: true },
  {
    from: /^cli\//,
    to: /^(components\/|index)/,
    why: "the command line runs the program by Pulumi",
    types: true,
  },
  { from: /^runner\//, to: /^components\//, why: "the runner knows nothing of Pulumi", types: true },
  {
    from: /^components\//,
    to: /^runner\/(?!config\/|util\/|migrations\/(files|plan)\/)/,
    why: "components share types and pure functions with the runner; the rest is asked through commands",
  },
  {
    from: /^runner\/(util|postgres)\//,
    to: /^runner\/(?!util|postgres)/,
    why: "the ground floor has nothing below it",
    types: true,
  },
  { from: /^runner\/(?!commands|main)/, to: /^runner\/commands\//, why: "commands are on top", types: true },
];

test("every import goes down", () => {
  const wrong = rules.flatMap((rule) =>
    imports
      .filter(({ file, to, types }) => rule.from.test(file) && rule.to.test(to) && (rule.types || !types))
      .map(({ file, to }) => `${file} -> ${to}: ${rule.why}`),
  );
  assert.deepEqual(wrong, []);
});

test("no file imports itself by way of others", () => {
  const order = new Map<string, number>();
  const low = new Map<string, number>();
  const open: string[] = [];
  const rings: string[][] = [];
  const visit = (file: string): number => {
    const at = order.size;
    order.set(file, at);
    low.set(file, at);
    open.push(file);
    for (const { to } of imports.filter((one) => one.file === file)) {
      if (!order.has(to)) visit(to);
      if (open.includes(to)) low.set(file, Math.min(low.get(file) as number, low.get(to) as number));
    }
    if (low.get(file) === at) {
      const ring = open.splice(open.indexOf(file));
      if (ring.length > 1) rings.push(ring.sort());
    }
    return at;
  };
  for (const file of files) if (!order.has(file)) visit(file);
  assert.deepEqual(rings, []);
});

test("a folder has at most fifteen files", () => {
  const full = [...Map.groupBy(files, dirname)].filter(([, all]) => all.length > 15);
  assert.deepEqual(
    full.map(([folder, all]) => `${folder}: ${all.length} files`),
    [],
  );
});
