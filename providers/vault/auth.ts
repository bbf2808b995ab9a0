import { isSegment, parseRef } from "../../src/core/ref.ts";
import type { SettingsReader } from "../../src/core/settings-reader.ts";

/** How we log in. What is secret about it lies in a file or in the local store; here are only the names of those. */
export type AuthSettings =
  | { readonly method: "token"; readonly tokenFile: string }
  | {
      readonly method: "approle";
      readonly mount: string;
      readonly roleId: string;
      readonly secretIdFile: string;
      /** Set where the file holds a wrapping token: the role whose secret id it must hold. */
      readonly wrappedFor?: string;
    }
  | { readonly method: "jwt"; readonly mount: string; readonly role: string; readonly jwtFile: string }
  | { readonly method: "kubernetes"; readonly mount: string; readonly role: string; readonly jwtFile: string }
  | { readonly method: "userpass"; readonly mount: string; readonly user: string; readonly password: PasswordPlace }
  | { readonly method: "cert"; readonly mount: string; readonly role?: string };

export type PasswordPlace =
  | { readonly file: string }
  /** A reference to another store: `mcp-secret://local/…`. */
  | { readonly ref: string };

export const METHODS = ["token", "approle", "jwt", "kubernetes", "userpass", "cert"] as const;

const POD_TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token";

export function readAuth(auth: SettingsReader): AuthSettings {
  const method = auth.choice("method", METHODS) ?? auth.fail("method", "is missing");
  if (method === "token") return { method, tokenFile: auth.text("tokenFile") ?? "~/.vault-token" };
  const mount = auth.text("mount", (text) => text.split("/").every(isSegment)) ?? method;
  switch (method) {
    case "approle": {
      const wrappedFor = auth.text("wrappedFor", isSegment);
      const roleId = auth.required("roleId");
      const secretIdFile = auth.required("secretIdFile");
      return { method, mount, roleId, secretIdFile, ...(wrappedFor !== undefined && { wrappedFor }) };
    }
    case "jwt":
      return { method, mount, role: auth.required("role"), jwtFile: auth.required("jwtFile") };
    case "kubernetes":
      return { method, mount, role: auth.required("role"), jwtFile: auth.text("jwtFile") ?? POD_TOKEN };
    case "userpass":
      return { method, mount, user: auth.required("user", isSegment), password: readPassword(auth) };
    case "cert": {
      const role = auth.text("role", isSegment);
      return role === undefined ? { method, mount } : { method, mount, role };
    }
  }
}

function readPassword(auth: SettingsReader): PasswordPlace {
  const file = auth.text("passwordFile");
  const ref = auth.text("passwordRef", (text) => parseRef(text) !== undefined);
  if (file !== undefined && ref === undefined) return { file };
  if (ref !== undefined && file === undefined) return { ref };
  return auth.fail("passwordFile", "or passwordRef must be set, one of them");
}
