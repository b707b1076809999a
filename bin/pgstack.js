#!/usr/bin/env node
// The command line of an installed package: npx pgstack. A checkout has ./pgstack, which brings in what is missing first.
import { existsSync } from "node:fs";

const source = new URL("../cli/main.ts", import.meta.url);
await import(existsSync(source) ? source.href : new URL("../dist/cli/main.js", import.meta.url).href);
