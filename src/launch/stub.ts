/**
 * The stable launcher that configs point to: a few lines that start the installed program with a Node that is there.
 *
 * Node acts on NODE_OPTIONS and NODE_EXTRA_CA_CERTS before our first line runs, so env(1) sets them aside
 * under names of our own and `parent-env.ts` gives them back to the server. A shell is the second choice: it drops
 * variables whose names it does not know as such (`a-b`) and adds its own.
 */

import { type FastStart, SNAPSHOT_FLAGS } from "./fast.ts";

export interface StubPlace {
  readonly platform: NodeJS.Platform;
  readonly version: string;
  /** The folder of the Node to prefer. */
  readonly nodeFolder: string;
  /** True where env(1) knows `-S`. */
  readonly splits: boolean;
  /** The folder of the stable launcher. */
  readonly folder: string;
  /** Where it is installed. */
  readonly fast?: FastStart;
}

/** Linux cuts the first line of a script off behind this many bytes (execve(2), BINPRM_BUF_SIZE). */
const LONGEST_FIRST_LINE = 255;
/** Where another Node may be when the preferred one is gone. */
const OTHER_NODE_FOLDERS = ["/usr/local/bin", "/opt/homebrew/bin", "/usr/bin"] as const;
/** Blanks, quotes and what env(1) or a shell would act on: `=` makes a variable, `:` parts folders. */
const SPECIAL = /[^A-Za-z0-9_@%+,./-]/;

/** All that may do in this place, the fastest first: whether one does is seen when it is started. */
export function stubTexts(place: StubPlace): readonly [string, ...string[]] {
  if (place.platform === "win32") return [script(place)];
  const lines = place.splits ? [fastLine(place), splitLine(place)] : [];
  const [first, ...others] = lines.flatMap((line) => (line === undefined ? [] : [`${line}\n${script(place)}`]));
  return first === undefined ? [shellScript(place)] : [first, ...others, shellScript(place)];
}

/**
 * The launcher is bound to the home that it is installed in: with another one, named by whoever wrote the config, it
 * would take that one's approvals.
 */
function script({ version }: StubPlace): string {
  return [
    `process.env.MCPS_HOME = require("node:path").dirname(__dirname);`,
    `require(${JSON.stringify(`../lib/${version}/launcher.cjs`)});`,
    "",
  ].join("\n");
}

/** What Node and `parent-env.ts` take to stand for each other. */
const SET_ASIDE = "-uNODE_OPTIONS -uNODE_EXTRA_CA_CERTS MCPS_O=${NODE_OPTIONS} MCPS_C=${NODE_EXTRA_CA_CERTS}";

/** undefined where there is no fast start, or its paths do not fit. The lines below the first are nothing to it. */
function fastLine({ fast }: StubPlace): string | undefined {
  if (fast === undefined || SPECIAL.test(fast.node)) return undefined;
  const line = ["#!/usr/bin/env -S", SET_ASIDE, fast.node, ...SNAPSHOT_FLAGS, fast.snapshot].join(" ");
  return Buffer.byteLength(line) <= LONGEST_FIRST_LINE ? line : undefined;
}

/** The longest list of folders that the first line has room for; undefined where not even the preferred one fits. */
function splitLine({ nodeFolder }: StubPlace): string | undefined {
  if (SPECIAL.test(nodeFolder)) return undefined;
  const others = OTHER_NODE_FOLDERS.filter((folder) => folder !== nodeFolder);
  for (let count = others.length; count >= 0; count -= 1) {
    const path = [nodeFolder, ...others.slice(0, count), "${PATH}"].join(":");
    const line = `#!/usr/bin/env -S ${SET_ASIDE} MCPS_P=\${PATH} PATH=${path} node`;
    if (Buffer.byteLength(line) <= LONGEST_FIRST_LINE) return line;
  }
  return undefined;
}

function shellScript({ nodeFolder, folder, version }: StubPlace): string {
  const others = OTHER_NODE_FOLDERS.filter((other) => other !== nodeFolder);
  return [
    "#!/bin/sh",
    `MCPS_HOME=${quoted(folder.replace(/\/[^/]*$/, ""))}`,
    `MCPS_O=$NODE_OPTIONS MCPS_C=$NODE_EXTRA_CA_CERTS MCPS_P=$PATH`,
    `PATH=${quoted([nodeFolder, ...others].join(":"))}:$PATH`,
    "export MCPS_HOME MCPS_O MCPS_C MCPS_P PATH",
    "unset NODE_OPTIONS NODE_EXTRA_CA_CERTS",
    `exec node ${quoted(`${folder.replace(/\/[^/]*$/, "")}/lib/${version}/launcher.cjs`)} "$@"`,
    "",
  ].join("\n");
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", String.raw`'\''`)}'`;
}
