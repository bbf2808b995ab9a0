import { win32 } from "node:path";
import { UserError } from "../errors.ts";

/** A program and its arguments as Windows is to get them. */
export interface WindowsCommand {
  readonly file: string;
  readonly args: readonly string[];
  /** True where `args` is one finished command line that must not be quoted again. */
  readonly verbatim: boolean;
}

/**
 * How `file` is started. Batch files are not programs: they need cmd.exe, which reads its line twice, once for itself
 * and once for the batch file (`%*`), so that its special characters are escaped twice.
 * @throws UserError refused where an argument cannot be passed through cmd.exe unchanged (a line break)
 */
export function windowsCommand(file: string, args: readonly string[], comSpec: string): WindowsCommand {
  if (!/\.(cmd|bat)$/i.test(file)) return { file, args, verbatim: false };
  const broken = args.findIndex((arg) => /[\r\n]/.test(arg));
  if (broken >= 0) {
    throw new UserError("refused", `argument ${broken + 1} of ${win32.basename(file)} holds a line break`, {
      hint: "name the program behind the batch file as the command",
    });
  }
  const line = [escapeForCmd(`"${file}"`), ...args.map((arg) => escapeForCmd(escapeForCmd(quote(arg))))].join(" ");
  return { file: comSpec, args: ["/d", "/s", "/c", `"${line}"`], verbatim: true };
}

/** The words that end a process and all of its descendants: taskkill, `/T` tree, `/F` by force. */
export function treeKill(pid: number, systemRoot: string): { readonly file: string; readonly args: readonly string[] } {
  return { file: win32.join(systemRoot, "System32", "taskkill.exe"), args: ["/PID", String(pid), "/T", "/F"] };
}

/**
 * One argument as CommandLineToArgvW reads it back: backslashes count only before a quote.
 * Microsoft, "Parsing C++ command-line arguments".
 */
function quote(arg: string): string {
  return `"${arg.replace(/(\\*)"/g, '$1$1\\"').replace(/(\\*)$/, "$1$1")}"`;
}

/** cmd.exe takes each of these literally behind a caret. */
function escapeForCmd(text: string): string {
  return text.replace(/[()\][%!^"`<>&|;, *?]/g, "^$&");
}
