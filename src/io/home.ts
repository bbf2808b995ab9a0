import { userInfo } from "node:os";
import { isAbsolute, join, resolve } from "node:path";
import { UserError } from "../errors.ts";

/** Where a user's files are, and ours among them. */
export interface Homes {
  readonly userHome: string;
  /** `~/.mcp-secrets`, or `MCPS_HOME`. */
  readonly home: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Both folders as absolute paths. An empty variable counts as unset (as for a shell's `${HOME:-…}`), and the password
 * database then knows the home; a relative one would mean another folder in every working folder, and would be written
 * into configs that are read in any.
 * @throws UserError unsafe-environment
 */
export function findHomes(env: Environment, ofPasswordDatabase: () => string = passwordHome): Homes {
  const own = folderIn(env, "MCPS_HOME");
  const userHome = folderIn(env, "HOME") ?? resolve(ofPasswordDatabase());
  return { userHome, home: own ?? join(userHome, ".mcp-secrets") };
}

function folderIn(env: Environment, name: string): string | undefined {
  const path = env[name] ?? "";
  if (path === "") return undefined;
  // Without a trailing slash, `..` and the like, so that one folder has one name.
  if (isAbsolute(path)) return resolve(path);
  throw new UserError("unsafe-environment", `the variable ${name} is not an absolute path: ${JSON.stringify(path)}`, {
    hint: `set ${name} to an absolute path, or unset it`,
  });
}

/** `os.homedir()` would ask HOME first. A container may run under a number that the database does not have. */
function passwordHome(): string {
  try {
    const { homedir } = userInfo();
    if (isAbsolute(homedir)) return homedir;
  } catch {
    // What follows says it better.
  }
  throw new UserError("unsafe-environment", "the variable HOME is not set, and the system knows no home of this user", {
    hint: "set HOME to your home folder",
  });
}
