import { basename, dirname, join, posix } from "node:path";
import type { Files } from "../core/files.ts";
import { inParallel } from "../core/parallel.ts";
import type { MarkPlace } from "./marks.ts";

/**
 * How far a value that stood in a config may have got, worst first: into the history of a repository, which is cloned
 * and never forgets; into a folder that a service copies to other machines; or no further than this disk and its backups.
 */
export const RISKS = ["git", "shared", "disk"] as const;
export type Risk = (typeof RISKS)[number];

/** What the judgement needs of the Context. */
export interface RiskPlace {
  readonly platform: NodeJS.Platform;
  readonly userHome: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly files: Pick<Files, "look" | "realpath" | "readIfExists">;
  readonly run: (
    command: string,
    args: readonly string[],
    timeout: number,
    env?: Readonly<Record<string, string | undefined>>,
  ) => Promise<{ readonly stdout: string; readonly exit: number | undefined }>;
}

const GIT_TIMEOUT = 10_000;

/** The worst risk of each config; a link is judged by its own place and by where it leads. */
export async function riskOfConfigs(place: RiskPlace, configs: readonly string[]): Promise<ReadonlyMap<string, Risk>> {
  const mounts = networkMounts(place.files.readIfExists("/proc/mounts")?.toString() ?? "");
  const risks = await inParallel([...new Set(configs)], async (config): Promise<readonly [string, Risk]> => {
    const paths = [...new Set([config, realpathOf(place, config)])];
    const committed = await Promise.all(paths.map((path) => isCommitted(place, path)));
    if (committed.includes(true)) return [config, "git"];
    return [config, paths.some((path) => isShared(path, place.platform, mounts)) ? "shared" : "disk"];
  });
  return new Map(risks);
}

/** The worst of the places; `disk` where there is none. */
export function worstRisk(places: readonly MarkPlace[], risks: ReadonlyMap<string, Risk>): Risk {
  const found = new Set(places.map(({ config }) => risks.get(config)));
  return RISKS.find((risk) => found.has(risk)) ?? "disk";
}

/**
 * Asks git about the path alone, never about a value. In a repository of somebody else nothing of its own settings may
 * start a program: no pager, no monitor, no check of signatures, no fetching of what a partial clone lacks.
 */
async function isCommitted(place: RiskPlace, config: string): Promise<boolean> {
  const { run, env, userHome } = place;
  if (!isInRepository(place, dirname(config))) return false;
  const calm = ["-c", "core.fsmonitor=false", "-c", "log.showSignature=false", "--no-pager", "-C", dirname(config)];
  const question = ["log", "--all", "--oneline", "--max-count=1", "--", basename(config)];
  const { exit, stdout } = await run("git", [...calm, ...question], GIT_TIMEOUT, {
    PATH: env["PATH"],
    HOME: userHome,
    GIT_NO_LAZY_FETCH: "1",
    GIT_OPTIONAL_LOCKS: "0",
    GIT_TERMINAL_PROMPT: "0",
    LC_ALL: "C",
  });
  return exit === 0 && stdout.trim() !== "";
}

/** A folder, or a file in a work tree or a submodule. Most configs are in none, and git is not started for them. */
function isInRepository({ files }: Pick<RiskPlace, "files">, folder: string): boolean {
  if (files.look(join(folder, ".git")) !== undefined) return true;
  const above = dirname(folder);
  return above !== folder && isInRepository({ files }, above);
}

/** Folders of the services that copy what is in them, as their programs name them. */
const SYNCED =
  /^(Dropbox( \(.+\))?|OneDrive( - .+)?|Google ?Drive|GoogleDrive-.+|My Drive|iCloud ?Drive|Mobile Documents|CloudStorage|Box|Box Sync|Nextcloud|ownCloud|pCloud ?Drive|Syncthing)$/i;

/** Also what another machine serves, or could. */
export function isShared(path: string, platform: NodeJS.Platform, mounts: readonly string[]): boolean {
  if (platform === "win32" && /^[\\/]{2}/.test(path)) return true;
  if (path.split(/[\\/]/).some((part) => SYNCED.test(part))) return true;
  if (platform === "darwin" && path.startsWith("/Volumes/")) return true;
  return mounts.some((mount) => path.startsWith(mount.endsWith("/") ? mount : `${mount}/`));
}

/** File systems that are served by another machine, or by another system on this one (mount(8)). */
const NETWORK =
  /^(nfs\d?|cifs|smb\d?|smbfs|afs|ceph|glusterfs|lustre|davfs|fuse\.(sshfs|rclone|s3fs|davfs2?|gcsfuse|google-drive-ocamlfuse))$/;

/** The mount points of network file systems in the text of /proc/mounts (proc(5)): blanks stand there as octal escapes. */
export function networkMounts(text: string): string[] {
  return text.split("\n").flatMap((line) => {
    const [, mount = "", type = ""] = line.split(" ");
    if (!NETWORK.test(type)) return [];
    const path = mount.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
      String.fromCharCode(Number.parseInt(octal, 8)),
    );
    return posix.isAbsolute(path) ? [path] : [];
  });
}

function realpathOf({ files }: RiskPlace, path: string): string {
  try {
    return files.realpath(path);
  } catch {
    // It is gone: what its folder remembers is asked all the same.
    return path;
  }
}
