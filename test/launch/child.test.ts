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
  // What loads code, or names a program that is run.
  "LD_PRELOAD_32",
  "GLIBC_TUNABLES",
  "NODE_COMPILE_CACHE",
  "NODE_ICU_DATA",
  "npm_config_node_options",
  "NPM_CONFIG_SCRIPT_SHELL",
  "Npm_Config_Package",
  "npm_config_node_gyp",
  "PYTHONUSERBASE",
  "PYTHONPYCACHEPREFIX",
  "CLASSPATH",
  "ZDOTDIR",
  // What opens another vault.
  "OP_CONNECT_TOKEN",
  "OP_SESSION_my",
  "DOPPLER_TOKEN",
  "BWS_ACCESS_TOKEN",
  "BW_SESSION",
  "INFISICAL_TOKEN",
  "INFISICAL_UNIVERSAL_AUTH_CLIENT_SECRET",
  "AZURE_CLIENT_SECRET",
  "AZURE_PASSWORD",
  "AZURE_CLIENT_CERTIFICATE_PATH",
  "AZURE_CLIENT_CERTIFICATE_PASSWORD",
  "AZURE_FEDERATED_TOKEN_FILE",
  "GOOGLE_APPLICATION_CREDENTIALS",
  "GOOGLE_CREDENTIALS",
  "CLOUDSDK_AUTH_ACCESS_TOKEN",
  "AKEYLESS_ACCESS_KEY",
  "CONJUR_AUTHN_API_KEY",
  "KSM_CONFIG",
  "PHASE_SERVICE_TOKEN",
  "SOPS_AGE_KEY_FILE",
  "HCP_CLIENT_SECRET",
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

/** Where packages and certificates come from is a matter of the user's network, as long as nothing is run for it. */
test.each([
  ["HTTPS_PROXY", "http://proxy.example:3128"],
  ["no_proxy", "localhost"],
  ["NODE_EXTRA_CA_CERTS", "/etc/company.pem"],
  ["NODE_TLS_REJECT_UNAUTHORIZED", "0"],
  ["NODE_USE_ENV_PROXY", "1"],
  ["SSL_CERT_FILE", "/etc/company.pem"],
  ["REQUESTS_CA_BUNDLE", "/etc/company.pem"],
  ["npm_config_registry", "https://npm.example"],
  ["NPM_CONFIG_USERCONFIG", "/home/u/.npmrc"],
  ["npm_config_cache", "/home/u/.npm"],
  ["npm_config_node_gyp", "/usr/lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js"],
  ["npm_package_name", "x"],
  ["UV_INDEX_URL", "https://pypi.example"],
  ["PIP_INDEX_URL", "https://pypi.example"],
  ["GOPROXY", "https://go.example"],
  ["PYTHONWARNINGS", "ignore"],
  ["AZURE_TENANT_ID", "x"],
  ["AZURE_CLIENT_ID", "x"],
  ["GOOGLE_CLOUD_PROJECT", "x"],
  ["DOPPLER_PROJECT", "x"],
  ["DOCKER_HOST", "tcp://x"],
])("%s is passed on", (name, value) => {
  expect(buildChild({ [name]: value }, [], values(), linux)).toMatchObject({ env: { [name]: value }, withheld: [] });
});

test("warnings that make Python import a module are withheld", () => {
  const env = { PYTHONWARNINGS: "ignore,all:0:antigravity.x:0:0" };
  expect(buildChild(env, [], values(), linux).withheld).toMatchObject([{ name: "PYTHONWARNINGS" }]);
});

test("what Node could not read as UTF-8 is not passed on changed, but for PATH, and unless the entry says it so", () => {
  const env = { NAME: "M\uFFFDller", ["N\uFFFD"]: "x", PATH: "/M\uFFFDller:/bin", OK: "Müller" };
  const plan = buildChild(env, [], values(), linux);
  expect(plan.env).toEqual({ PATH: env.PATH, OK: "Müller" });
  expect(plan.withheld.map(({ name }) => name)).toEqual(["NAME", "N\uFFFD"]);
  const own = { ...linux, own: new Set(["NAME"]) };
  expect(buildChild({ NAME: env.NAME }, [], values(), own)).toMatchObject({ env: { NAME: env.NAME }, withheld: [] });
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
