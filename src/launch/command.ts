import { posix, win32 } from "node:path";

/** What the search for a program depends on. */
export interface SearchPlace {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly platform: NodeJS.Platform;
  readonly userHome: string;
}

/** What lies at a path: something that can be run, something that cannot, or nothing. */
export type Probe = (path: string) => "program" | "other" | undefined;

export interface FoundCommand {
  readonly path: string;
  /** The folder that the search had to add to PATH to find it. */
  readonly added?: string;
}

/**
 * The program that `command` names, looked up as execvp(3) does, then in folders that a login shell would have on its
 * PATH. "other" where only things were found that cannot be run; undefined where nothing was.
 */
export function findCommand(command: string, place: SearchPlace, probe: Probe): FoundCommand | "other" | undefined {
  if (hasFolder(command, place.platform)) return firstProgram([{ path: command }], place, probe);
  const given = folders(place).map((folder) => ({ path: join(folder, command, place) }));
  const found = firstProgram(given, place, probe);
  if (typeof found === "object") return found;
  const added = usualFolders(place).map((folder) => ({ path: join(folder, command, place), added: folder }));
  return firstProgram(added, place, probe) ?? found;
}

function firstProgram(places: readonly FoundCommand[], place: SearchPlace, probe: Probe) {
  let other = false;
  for (const found of places) {
    for (const path of spellings(found.path, place)) {
      const kind = probe(path);
      if (kind === "program") return { ...found, path };
      other ||= kind === "other";
    }
  }
  return other ? "other" : undefined;
}

function hasFolder(command: string, platform: NodeJS.Platform): boolean {
  return command.includes("/") || (platform === "win32" && /[\\:]/.test(command));
}

/** The folders of PATH. Empty and relative ones mean the current folder, which belongs to whoever wrote the config. */
function folders({ env, platform }: SearchPlace): string[] {
  const { delimiter, isAbsolute } = platform === "win32" ? win32 : posix;
  const name = Object.keys(env).find((key) => key === "PATH" || (platform === "win32" && key.toUpperCase() === "PATH"));
  const text = name === undefined ? "" : (env[name] ?? "");
  return text.split(delimiter).filter((folder) => isAbsolute(folder));
}

/**
 * Where installers put programs: clients with a window start with /usr/bin:/bin:/usr/sbin:/sbin only.
 * Homebrew, pipx and uv, volta, bun, cargo, go, deno, mise and asdf, npm and pnpm, MacPorts, snap.
 */
function usualFolders({ env, platform, userHome }: SearchPlace): string[] {
  if (platform === "win32") {
    const roaming = env["APPDATA"];
    const programs = env["ProgramFiles"];
    return [
      ...(roaming === undefined ? [] : [win32.join(roaming, "npm")]),
      ...(programs === undefined ? [] : [win32.join(programs, "nodejs")]),
      win32.join(userHome, ".local", "bin"),
      win32.join(userHome, ".bun", "bin"),
      win32.join(userHome, ".cargo", "bin"),
    ];
  }
  const own = [".local/bin", ".volta/bin", ".bun/bin", ".cargo/bin", "go/bin", ".deno/bin", ".local/share/mise/shims"];
  const more = [".asdf/shims", ".npm-global/bin", ".local/share/pnpm", "Library/pnpm"];
  const system = ["/usr/local/bin", "/opt/homebrew/bin", "/home/linuxbrew/.linuxbrew/bin", "/opt/local/bin"];
  return [
    ...system,
    ...[...own, ...more].map((folder) => posix.join(userHome, folder)),
    "/snap/bin",
    "/usr/bin",
    "/bin",
  ];
}

function join(folder: string, command: string, { platform }: SearchPlace): string {
  return platform === "win32" ? win32.join(folder, command) : posix.join(folder, command);
}

/** Windows: a name without one of the endings in PATHEXT is tried with each. */
function spellings(path: string, { env, platform }: SearchPlace): string[] {
  if (platform !== "win32") return [path];
  const endings = (env["PATHEXT"] ?? ".COM;.EXE;.BAT;.CMD").split(";").filter((ending) => ending !== "");
  const has = endings.some((ending) => path.toLowerCase().endsWith(ending.toLowerCase()));
  return has ? [path] : endings.map((ending) => `${path}${ending.toLowerCase()}`);
}
