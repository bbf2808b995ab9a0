#!/usr/bin/env bash
# npm run test:clients: Claude Code and Codex start a rewritten entry. Outside npm test: they are a gigabyte, and want a
# home of their own. Installed into .cache/clients the first time; the models are test/servers/llm.mjs on loopback.
set -euo pipefail
cd "$(dirname "$0")/.."
repo=$PWD
clients=$repo/.cache/clients
value=probe-canary-7d793037a0760186

install() { # NAME PACKAGE
  [ -d "$clients/$1/node_modules" ] || npm install --prefix "$clients/$1" --no-audit --no-fund --engine-strict=false "$2"
}
install claude @anthropic-ai/claude-code@2.1.331
install codex @openai/codex@0.169.0
npm run --silent build

home=$(mktemp -d)
node test/servers/llm.mjs >"$home/port" &
llm=$!
trap 'kill $llm; rm -rf "$home"' EXIT
until [ -s "$home/port" ]; do sleep 0.1; done
model=http://127.0.0.1:$(cat "$home/port")

client() { # what a user's shell gives
  env -i HOME="$home" PATH="$(dirname "$(command -v node)"):/usr/bin:/bin" TERM=xterm LANG=C.UTF-8 "$@" </dev/null
}

mkdir "$home/project" "$home/.codex"
cat >"$home/mcp.json" <<JSON
{ "mcpServers": { "probe": { "command": "node", "args": ["$repo/test/servers/probe.mjs", "$home/seen.json"],
  "env": { "PROBE_TOKEN": "$value" } } } }
JSON
client node dist/launcher.cjs migrate --config "$home/mcp.json" --yes
! grep -q "$value" "$home/mcp.json"

# The same entry, as Codex writes it.
node -e '
  const { probe } = JSON.parse(require("fs").readFileSync(process.argv[1])).mcpServers;
  const q = JSON.stringify;
  console.log(`model = "m"\nmodel_provider = "fake"\ncheck_for_update_on_startup = false
analytics.enabled = false
[model_providers.fake]\nname = "fake"\nbase_url = ${q(process.argv[2] + "/v1")}\nwire_api = "responses"
[mcp_servers.probe]\nrequired = true\ncommand = ${q(probe.command)}\nargs = ${q(probe.args)}
[mcp_servers.probe.env]\nPROBE_TOKEN = ${q(probe.env.PROBE_TOKEN)}`);
' "$home/mcp.json" "$model" >"$home/.codex/config.toml"

passed=0
failed=0
check() { # NAME COMMAND...: the agent must have called the tool, and the server must have had the value
  local name=$1 said
  shift
  rm -f "$home/seen.json"
  said=$(cd "$home/project" && client "$@" 2>&1) || true
  if grep -q "model heard: probe says from-agent" <<<"$said" && grep -q "$value" "$home/seen.json"; then
    passed=$((passed + 1))
    echo "ok $name"
  else
    failed=$((failed + 1))
    printf 'not ok %s\n%s\n' "$name" "$said"
  fi
}

check "Claude Code" env ANTHROPIC_BASE_URL="$model" ANTHROPIC_API_KEY=x CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC=1 \
  ENABLE_TOOL_SEARCH=false MCP_CONNECTION_NONBLOCKING=false "$clients/claude/node_modules/.bin/claude" \
  --mcp-config "$home/mcp.json" --strict-mcp-config -p hi --allowedTools mcp__probe__where_am_i
check "Codex" "$clients/codex/node_modules/.bin/codex" exec --skip-git-repo-check \
  --dangerously-bypass-approvals-and-sandbox hi

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
