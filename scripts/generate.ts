// Writes what is generated and committed: node scripts/generate.ts
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { packageRoot } from "../runner/util/project.ts";
import { apiReference } from "./api-reference.ts";
import { configSchema } from "./config-schema.ts";

writeFileSync(join(packageRoot, "schema.json"), `${JSON.stringify(configSchema(), null, 2)}\n`);
writeFileSync(join(packageRoot, "docs/api.md"), apiReference());
