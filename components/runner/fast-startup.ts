import { createRequire, Module } from "node:module";

const require = createRequire(import.meta.url);

/** Stands in for a module, and loads it when something of it is used. */
function putOff(name: string, from: string): void {
  const load = createRequire(require.resolve(from));
  const path = load.resolve(name);
  const placeholder = Object.assign(new Module(path), { loaded: true });
  let loaded: Record<PropertyKey, unknown> | undefined;
  const module = () => {
    if (require.cache[path] === placeholder) delete require.cache[path];
    loaded ??= load(path) as Record<PropertyKey, unknown>;
    return loaded;
  };
  placeholder.exports = new Proxy(
    {},
    {
      get: (_, key) => {
        if (key === "__esModule") return true; // else whoever imports it copies all of it at once
        return key === "default" && !("default" in module()) ? module() : module()[key];
      },
    },
  );
  require.cache[path] ??= placeholder;
}

// Pulumi's SDK brings a compiler and npm's own installer, to turn functions into code for a cloud, and what drives its
// command line. Nothing here calls either, and to load them takes as long as all else in a preview.
putOff("typescript", "@pulumi/pulumi/typescript-shim.js");
putOff("@npmcli/arborist", "@pulumi/pulumi/runtime/closure/codePaths.js");
putOff("normalize-package-data", "@pulumi/pulumi/runtime/closure/codePaths.js");
putOff("./automation", "@pulumi/pulumi");

// It looks for source maps, of which Node needs none, whenever it notes where a promise was made.
Reflect.deleteProperty(Error, "prepareStackTrace");

// Each step of a resource is told to the engine one message at a time, and the program ends when the last is through. Only
// `pulumi --debug` would show them, and the engine has the same to say there.
require("@pulumi/pulumi/log").debug = async () => {};
