import { posix, win32 } from "node:path";
import type { ApprovalSubject } from "./approval.ts";
import { whatLoads } from "./environment.ts";

/**
 * What the user should know before giving their word for an entry, though it is theirs to give: a command that depends
 * on the folder it is started in, and variables that load code, which a server gets only because its entry names them.
 */
export function cautions({ command, env }: ApprovalSubject, platform: NodeJS.Platform): string[] {
  const { isAbsolute } = platform === "win32" ? win32 : posix;
  const isRelative = /[/\\]/.test(command) && !isAbsolute(command) && !/^(?:~|\$|%)/.test(command);
  const variables = Object.entries(env).flatMap(([name, text]) => {
    const reason = whatLoads(platform === "win32" ? name.toUpperCase() : name, text);
    return reason === undefined ? [] : [`${name} ${reason}`];
  });
  return [
    ...(isRelative ? [`the command ${command} is looked for in the folder that the client starts it in`] : []),
    ...variables,
  ];
}
