import { join } from "node:path";
import ts from "typescript";
import { packageRoot } from "../runner/util/project.ts";

const entry = join(packageRoot, "components/index.ts");

const head = `# API reference

Made from the doc comments in \`components/\` by \`node scripts/generate.ts\`. The names are those that a program imports from
\`pgstack\`. [from-your-program.md](from-your-program.md) shows how they are used.
`;

/** What a table's cell may hold. */
const cell = (text: string) =>
  text
    .replaceAll("|", "\\|")
    .replace(/\s*\n\s*/g, " ")
    .trim();

function commentOf(symbol: ts.Symbol, checker: ts.TypeChecker): string {
  return ts.displayPartsToString(symbol.getDocumentationComment(checker));
}

/** What a symbol's comment says that it throws. */
function throwsOf(symbol: ts.Symbol): string {
  const tags = symbol.getJsDocTags().filter(({ name }) => name === "throws");
  return tags.map(({ text }) => `\n\nThrows ${ts.displayPartsToString(text)}`).join("");
}

const isHidden = (symbol: ts.Symbol) =>
  /^(__|#)/.test(symbol.getName()) || symbol.getJsDocTags().some(({ name }) => name === "internal");

/** Whether a member is written in this package, not in Pulumi's. */
const isOurs = (symbol: ts.Symbol) =>
  (symbol.declarations ?? []).some(
    (node) =>
      !node.getSourceFile().fileName.includes("node_modules") &&
      (ts.getCombinedModifierFlags(node as ts.Declaration) &
        (ts.ModifierFlags.Private | ts.ModifierFlags.Protected)) ===
        0,
  );

/** The type as the declaration writes it. */
function typeText(symbol: ts.Symbol): string {
  const node = symbol.declarations?.find(
    (one) => (ts.isPropertySignature(one) || ts.isPropertyDeclaration(one)) && one.type !== undefined,
  ) as ts.PropertySignature | ts.PropertyDeclaration | undefined;
  const text = node?.type?.getText() ?? "";
  return text.replaceAll("pulumi.", "").replace(/ \| undefined$/, "");
}

function membersOf(type: ts.Type, checker: ts.TypeChecker): string[] {
  const members = type.getProperties().filter((one) => isOurs(one) && !isHidden(one) && typeText(one) !== "");
  if (members.length === 0) return [];
  const rows = members.map((one) => {
    const optional = (one.flags & ts.SymbolFlags.Optional) !== 0 ? "?" : "";
    return `| \`${one.getName()}${optional}\` | \`${cell(typeText(one))}\` | ${cell(commentOf(one, checker))} |`;
  });
  return ["", "| member | type | meaning |", "| --- | --- | --- |", ...rows];
}

function sectionOf(exported: ts.Symbol, checker: ts.TypeChecker): string {
  const symbol =
    (exported.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(exported) : exported;
  const kind =
    (symbol.flags & ts.SymbolFlags.Class) !== 0
      ? "class"
      : (symbol.flags & ts.SymbolFlags.Function) !== 0
        ? "function"
        : "type";
  const members = kind === "function" ? [] : membersOf(checker.getDeclaredTypeOfSymbol(symbol), checker);
  return [
    "",
    `## ${symbol.getName()}`,
    "",
    `${commentOf(symbol, checker)}${throwsOf(symbol)}`,
    ...members,
  ].join("\n");
}

/** Reads the files of this package alone: what types of others are is not asked, and reading them takes long. */
function ownFilesOnly(options: ts.CompilerOptions): ts.CompilerHost {
  const host = ts.createCompilerHost(options);
  const resolve = ({ text }: ts.StringLiteralLike, from: string) =>
    text.startsWith(".") ? ts.resolveModuleName(text, from, options, host) : { resolvedModule: undefined };
  return { ...host, resolveModuleNameLiterals: (names, from) => names.map((name) => resolve(name, from)) };
}

/** The page `docs/api.md`: every export of the package with its members, by name. */
export function apiReference(): string {
  const options: ts.CompilerOptions = {
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    target: ts.ScriptTarget.ESNext,
    allowImportingTsExtensions: true,
    noEmit: true,
    skipLibCheck: true,
    strict: true,
    noLib: true,
    types: [],
  };
  const program = ts.createProgram([entry], options, ownFilesOnly(options));
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(entry) as ts.SourceFile);
  const exported = module === undefined ? [] : checker.getExportsOfModule(module);
  const sorted = exported.toSorted((a, b) => a.getName().localeCompare(b.getName(), "en"));
  return `${[head.trimEnd(), ...sorted.map((one) => sectionOf(one, checker))].join("\n")}\n`;
}
