// Pulumi starts here. Node below 22.18 runs no TypeScript, and would stop at the first .ts file without a word of what it needs.
const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
if (major < 22 || (major === 22 && minor < 18)) {
  const { RunError } = await import("@pulumi/pulumi");
  throw new RunError(
    `Expected Node 22.18 or newer, found ${process.versions.node} (${process.execPath}). ./pgstack brings its own; for plain pulumi: eval "$(./pgstack env)"`,
  );
}

export default await import("./index.ts");
