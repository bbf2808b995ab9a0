import type { Contract } from "./contract.ts";

/**
 * GitLab rotates a token by itself: the old one ends with the answer, and whoever presents the old one again ends the new
 * one with all of its family (gitlab.com/gitlab-org/gitlab/-/issues/524639). A token that was rotated is therefore never
 * sent again, not even to look whether it still works. Without `expires_at` the new one would live for seven days.
 */
const SELF = {
  class: "X",
  right: "scope api or self_rotate, of the token itself",
  origin: "https://gitlab.com",
  manager: "itself",
  auth: (credential) => ({ "private-token": credential["value"]?.expose() ?? "" }),
  expiry: { days: 90, most: 365 },
  fields: { value: ["token"] },
  test: { method: "GET", path: "/api/v4/personal_access_tokens/self", by: "itself" },
  rights: ["scopes"],
  reuseRevokes: true,
  whenLost:
    "the old token is dead, or will be: do not try it, for that could end its successor; revoke both in GitLab under Access tokens, make a new one there, and store it with mcp-secrets set",
} as const satisfies Partial<Contract>;

function rotateAt(path: string): Contract["mint"] {
  return {
    method: "POST",
    path,
    by: "itself",
    body: ({ expires }) => ({ type: "json", value: { expires_at: expires?.toISOString().slice(0, 10) } }),
  };
}

/** A number, or `group/project`. */
const NAMESPACE = /^[A-Za-z0-9_.-]+(\/[A-Za-z0-9_.-]+)*$/;

export const gitlabPersonal: Contract = {
  ...SELF,
  title: "GitLab personal access token",
  source: "https://docs.gitlab.com/api/personal_access_tokens/#self-rotate",
  settings: {},
  mint: rotateAt("/api/v4/personal_access_tokens/self/rotate"),
};

export const gitlabProject: Contract = {
  ...SELF,
  title: "GitLab project access token",
  source: "https://docs.gitlab.com/api/project_access_tokens/#self-rotate",
  settings: { project: NAMESPACE },
  mint: rotateAt("/api/v4/projects/{project}/access_tokens/self/rotate"),
};

export const gitlabGroup: Contract = {
  ...SELF,
  title: "GitLab group access token",
  source: "https://docs.gitlab.com/api/group_access_tokens/#self-rotate",
  settings: { group: NAMESPACE },
  mint: rotateAt("/api/v4/groups/{group}/access_tokens/self/rotate"),
};
