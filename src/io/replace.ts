import type { ChildSpec } from "../core/processes.ts";

/** `process.execve` of Node >= 22.15, which the types of Node 20 do not know. */
type Execve = (file: string, args: readonly string[], env: Readonly<Record<string, string>>) => void;

/** Puts a program in the place of this process, `before` called; undefined where the runtime cannot. */
export function replacer(before: () => void): ((spec: ChildSpec) => void) | undefined {
  const execve: unknown = Reflect.get(process, "execve");
  if (typeof execve !== "function") return undefined;
  const call = execve.bind(process) as Execve;
  return ({ file, argv0, args, env }) => {
    before();
    call(file, [argv0, ...args], env);
  };
}
