import { expect, test } from "vitest";
import { Secret } from "../../src/core/secret.ts";
import { buildChild } from "../../src/launch/child.ts";
import { clientEnvironment } from "../../src/launch/parent-env.ts";
import { refKey } from "../../src/launch/references.ts";

const REF = "mcp-secret://local/a/b";
const KEY = refKey({ store: "local", path: "a/b" });
const linux = { own: new Set<string>(), platform: "linux" } as const;

function values(value = "v"): Map<string, Secret> {
  return new Map([[KEY, new Secret(value)]]);
}

test("the parent's environment passes through whole, references replaced", () => {
  const parent = { HOME: "/h", EMPTY: "", "a-b": "1", "x.y": "2", LINES: "1\n2", TOKEN: REF, __proto__x: "p" };
  const plan = buildChild(parent, ["--key", REF], values(), linux);
  expect(plan).toEqual({ args: ["--key", "v"], env: { ...parent, TOKEN: "v" }, withheld: [] });
});

test("a variable named __proto__ is one like every other", () => {
  const parent = Object.fromEntries([["__proto__", REF]]);
  expect(Object.entries(buildChild(parent, [], values(), linux).env)).toEqual([["__proto__", "v"]]);
});

test.each([
  "VAULT_TOKEN",
  "BAO_ADDR",
  "AWS_SECRET_ACCESS_KEY",
  "OP_SERVICE_ACCOUNT_TOKEN",
  "LD_PRELOAD",
  "LD_AUDIT",
  "LD_LIBRARY_PATH",
  "DYLD_INSERT_LIBRARIES",
  "NODE_PATH",
  "BASH_ENV",
  "ENV",
  "BASH_FUNC_ls%%",
  "PYTHONSTARTUP",
  "PERL5OPT",
  "RUBYOPT",
  "JAVA_TOOL_OPTIONS",
  "GIT_SSH_COMMAND",
  "GIT_CONFIG_COUNT",
])("%s is withheld with a reason, unless the entry names it", (name) => {
  const parent = { [name]: "x", HOME: "/h" };
  const plan = buildChild(parent, [], values(), linux);
  expect(plan.env).toEqual({ HOME: "/h" });
  expect(plan.withheld).toEqual([{ name, reason: expect.stringMatching(/\w/) }]);
  expect(buildChild(parent, [], values(), { ...linux, own: new Set([name]) })).toMatchObject({
    env: parent,
    withheld: [],
  });
});

test.each([
  ["--require /tmp/x.js", false],
  ["-r /tmp/x.js", false],
  ["--import=data:text/javascript,1", false],
  ["--max-old-space-size=512 --loader ./x.mjs", false],
  ["--experimental-loader=./x.mjs", false],
  ["--inspect", false],
  ["--inspect-brk=0.0.0.0:1", false],
  ["--env-file=.env", false],
  ['--max-old-space-size=1 "--require" ./x', false],
  ["--max-old-space-size=512", true],
  ["--enable-source-maps --no-warnings", true],
  ["", true],
])("NODE_OPTIONS=%s is passed on: %s", (value, passed) => {
  expect(buildChild({ NODE_OPTIONS: value }, [], values(), linux).withheld.length === 0).toBe(passed);
});

test.each(["PATH", "LD_PRELOAD", "NODE_OPTIONS", "DYLD_X", "BASH_ENV", "HOME", "GIT_SSH_COMMAND"])(
  "no value is delivered to %s, even where the entry names it",
  (name) => {
    const own = { ...linux, own: new Set([name]) };
    expect(() => buildChild({ [name]: `x${REF}` }, [], values(), own)).toThrow(
      `no secret may be delivered to ${name}: it `,
    );
  },
);

test("names have no case on Windows", () => {
  const windows = { own: new Set(["node_path"]), platform: "win32" } as const;
  expect(() => buildChild({ Path: REF }, [], values(), windows)).toThrow("no secret may be delivered to PATH");
  expect(buildChild({ Node_Path: "x", aws_profile: "y" }, [], values(), windows)).toMatchObject({
    env: { Node_Path: "x" },
    withheld: [{ name: "aws_profile" }],
  });
});

test.each([
  ["a\0b", "a NUL character"],
  ["a\ud800", "half a character"],
])("a value that no program can be given is refused by its name", (value, problem) => {
  const refuse = () => buildChild({ A: REF }, [], values(value), linux);
  expect(refuse).toThrow(`${KEY} holds ${problem}`);
  expect(refuse).not.toThrow(value);
});

test("what the stable launcher set aside comes back, and nothing of ours stays", () => {
  const env = { MCPS_HOME: "/x", MCPS_O: "--no-warnings", MCPS_C: "", MCPS_P: "/bin", PATH: "/node:/bin", A: "1" };
  expect(clientEnvironment(env)).toEqual({ NODE_OPTIONS: "--no-warnings", PATH: "/bin", A: "1" });
  expect(clientEnvironment({ NODE_OPTIONS: "x", PATH: "/bin", B: undefined })).toEqual({
    NODE_OPTIONS: "x",
    PATH: "/bin",
  });
  expect(clientEnvironment({ MCPS_P: "", PATH: "/node" })).toEqual({});
});
