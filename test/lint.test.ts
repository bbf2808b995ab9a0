import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { filesUnder } from "./helpers/canary.ts";

/** Faults, each planted in a file of its own, with the rule that must find it and a part of where it says to go. */
const faults: readonly { file: string; code: string; rule: string; says?: string }[] = [
  { file: "src/core/reads.ts", code: `import "node:fs";`, rule: "no-restricted-imports", says: "core is pure" },
  { file: "src/core/hashes.ts", code: `import "node:crypto";`, rule: "no-restricted-imports", says: "core is pure" },
  {
    file: "src/core/upwards.ts",
    code: `import "../io/files.ts";`,
    rule: "no-restricted-imports",
    says: "core is pure",
  },
  { file: "src/core/asks.ts", code: `export const a = process.pid;`, rule: "no-restricted-globals", says: "Context" },
  { file: "src/core/clock.ts", code: `export const a = Date.now();`, rule: "no-restricted-properties", says: "clock" },
  { file: "src/errors.ts", code: `import "./core/ref.ts";`, rule: "no-restricted-imports", says: "import nothing" },
  { file: "src/commands/a.ts", code: `import "../io/files.ts";`, rule: "no-restricted-imports", says: "Context" },
  { file: "src/commands/b.ts", code: `import "node:child_process";`, rule: "no-restricted-imports", says: "Context" },
  {
    file: "src/commands/c.ts",
    code: `import "../../providers/local/index.ts";`,
    rule: "no-restricted-imports",
    says: "providers/index.ts",
  },
  { file: "src/commands/d.ts", code: `import "commander";`, rule: "no-restricted-imports", says: "src/cli.ts" },
  { file: "src/migrate/a.ts", code: `import "node:fs";`, rule: "no-restricted-imports", says: "only src/io" },
  {
    file: "src/launch/a.ts",
    code: `import "../commands/run.ts";`,
    rule: "no-restricted-imports",
    says: "not the other way",
  },
  { file: "src/launch/b.ts", code: `import "execa";`, rule: "no-restricted-imports", says: "execa src/io's" },
  {
    file: "src/detect/a.ts",
    code: `import "../../providers/local/index.ts";`,
    rule: "no-restricted-imports",
    says: "providers/index.ts",
  },
  {
    file: "src/clients/a.ts",
    code: `import "../migrate/plan.ts";`,
    rule: "no-restricted-imports",
    says: "formats and places",
  },
  { file: "src/io/a.ts", code: `import "../context.ts";`, rule: "no-restricted-imports", says: "io imports core" },
  { file: "src/io/c.ts", code: `import "../launcher.ts";`, rule: "no-restricted-imports", says: "io imports core" },
  { file: "src/io/b.ts", code: `import "../audit/record.ts";`, rule: "no-restricted-imports", says: "io imports core" },
  { file: "src/context.ts", code: `import "./launch/a.ts";`, rule: "no-restricted-imports", says: "Context is built" },
  {
    file: "src/launcher.ts",
    code: `import "./commands/run.ts";\nimport "./commands/set.ts";`,
    rule: "no-restricted-imports",
    says: "start fast",
  },
  { file: "providers/local/a.ts", code: `import "node:fs";`, rule: "no-restricted-imports", says: "ProviderOptions" },
  {
    file: "providers/local/b.ts",
    code: `import "../../src/io/files.ts";`,
    rule: "no-restricted-imports",
    says: "core, errors",
  },
  {
    file: "providers/local/c.ts",
    code: `import "../vault/index.ts";`,
    rule: "no-restricted-imports",
    says: "own folder",
  },
  {
    file: "providers/local/d.ts",
    code: `export const a = process.env;`,
    rule: "no-restricted-globals",
    says: "Context",
  },
  { file: "src/audit/says.ts", code: `console.log(1);`, rule: "no-console" },
  { file: "src/audit/any.ts", code: `export const a: any = 1;`, rule: "no-explicit-any" },
  { file: "src/audit/default.ts", code: `export default 1;`, rule: "no-default-export" },
  { file: "src/audit/barrel.ts", code: `export * from "./record.ts";`, rule: "no-barrel-file" },
  {
    file: "src/audit/long.ts",
    code: `export function long() {\n${"  String(1);\n".repeat(61)}}`,
    rule: "max-lines-per-function",
  },
  { file: "src/audit/left.ts", code: `const late = async () => 1;\nlate();`, rule: "no-floating-promises" },
  {
    file: "src/audit/then.ts",
    code: `const late = async () => true;\nif (late()) String(1);`,
    rule: "no-misused-promises",
  },
  { file: "src/audit/each.ts", code: `[1].forEach(async () => {});`, rule: "no-misused-promises" },
  {
    file: "src/audit/cases.ts",
    code: `export function name(a: "x" | "y") {\n  switch (a) {\n    case "x":\n      return 1;\n  }\n  return 2;\n}`,
    rule: "switch-exhaustiveness-check",
  },
  {
    file: "src/audit/one.ts",
    code: `import { two } from "./two.ts";\nexport const one = () => two;`,
    rule: "no-cycle",
  },
];

/** What the arrows allow, so that no rule is passed by forbidding everything. */
const allowed = {
  "src/audit/two.ts": `import { one } from "./one.ts";\nexport const two = () => one;`,
  "src/core/fine.ts": `import "./ref.ts";\nimport "../errors.ts";`,
  "src/commands/fine.ts": `import "../migrate/plan.ts";\nimport "../../providers/index.ts";\nimport "node:path";`,
  "src/migrate/fine.ts": `import "../clients/document.ts";\nimport "../core/ref.ts";\nimport "node:crypto";`,
  "src/io/fine.ts": `import "node:fs";\nimport "../core/files.ts";\nexport const a = process.pid;`,
  "providers/local/fine.ts": `import "../../src/core/ref.ts";\nimport "../../src/errors.ts";\nimport "node:crypto";`,
};

const root = mkdtempSync(join(tmpdir(), "lint-"));
let report: readonly { code: string; filename: string; message: string; help?: string }[] = [];

beforeAll(() => {
  for (const { file, code } of faults) plant(file, code);
  for (const [file, code] of Object.entries(allowed)) plant(file, code);
  for (const name of [".oxlintrc.json", "tsconfig.json", "package.json"]) cpSync(name, join(root, name));
  symlinkSync(resolve("node_modules"), join(root, "node_modules"));
  const oxlint = resolve("node_modules/.bin/oxlint");
  const run = spawnSync(oxlint, ["--type-aware", "-f", "json", "src", "providers"], { cwd: root, encoding: "utf8" });
  report = JSON.parse(run.stdout).diagnostics;
});

afterAll(() => rmSync(root, { recursive: true }));

test.each(faults)("$file is refused by $rule", ({ file, rule, says }) => {
  const found = report.filter(({ code, filename }) => filename === file && code.includes(`(${rule})`));
  expect(found).not.toEqual([]);
  expect(found.map(({ message, help }) => `${message} ${help ?? ""}`).join("\n")).toContain(says ?? "");
});

test.each(Object.keys(allowed))("%s may import what it imports", (file) => {
  const layers = report.filter(({ code, filename }) => filename === file && code.includes("restricted"));
  expect(layers).toEqual([]);
});

test("each package is imported in one file", () => {
  const importers = new Map<string, Set<string>>();
  for (const file of [...filesUnder("src"), ...filesUnder("providers")]) {
    for (const [, name = ""] of readFileSync(file, "utf8").matchAll(
      /(?:from|import\()\s*"(?!node:)((?:@[\w-]+\/)?[\w-]+)/g,
    )) {
      importers.set(name, (importers.get(name) ?? new Set()).add(file));
    }
  }
  const manifest = JSON.parse(readFileSync("package.json", "utf8")) as Record<string, Record<string, string>>;
  const dependencies = { ...manifest["dependencies"], ...manifest["optionalDependencies"] };
  for (const [name, files] of importers) expect([...files], name).toHaveLength(1);
  expect([...importers.keys()].toSorted()).toEqual(Object.keys(dependencies).toSorted());
});

function plant(file: string, code: string): void {
  mkdirSync(dirname(join(root, file)), { recursive: true });
  writeFileSync(join(root, file), `${code}\n`);
}
