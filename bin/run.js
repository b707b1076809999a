// Runs a command of the runner for a resource: node -e "import('pgstack/run')" COMMAND. In a checkout that is the source, in an
// installed package, which has no source, what tsc made of it.
import { existsSync } from "node:fs";

if (process.execArgv.includes("-e")) process.argv.splice(1, 0, import.meta.filename); // where the program's path stands otherwise
const source = new URL("../runner/main.ts", import.meta.url);
await import(existsSync(source) ? source.href : new URL("../dist/runner/main.js", import.meta.url).href);
