import { UserError } from "../../errors.ts";

/**
 * The driver that `load` imports. They are optional: only who rotates a secret of that system needs one.
 * @throws UserError config-unsupported where it is not installed
 */
export async function loadDriver<T>(system: string, load: () => Promise<T>): Promise<T> {
  try {
    return await load();
  } catch (error) {
    throw new UserError("config-unsupported", `this installation has no driver for ${system}`, {
      hint: "install mcp-secrets again with its optional dependencies: npm install --include=optional",
      cause: error,
    });
  }
}
