// node llm.mjs: stands in for the model APIs that agents talk to, on loopback; prints its port. Asked with tools, it
// calls the one whose name holds `where_am_i`; told what that said, it ends with `model heard: TEXT`.
// Speaks OpenAI chat completions, OpenAI responses and Anthropic messages, streamed or not.
import { createServer } from "node:http";

const ARGUMENTS = { text: "from-agent" };

createServer((request, response) => {
  let body = "";
  request.on("data", (chunk) => (body += chunk));
  request.on("end", () => answer(request.url.split("?")[0], body, response));
}).listen(0, "127.0.0.1", function () {
  console.log(this.address().port);
});

function answer(path, body, response) {
  const asked = body === "" ? {} : JSON.parse(body);
  const heard = /probe says ([\w-]+)/.exec(body)?.[0];
  const tool = heard === undefined ? toolOf(asked.tools) : undefined;
  const text = heard === undefined ? "model was offered no tool" : `model heard: ${heard}`;
  const api = Object.keys(APIS).find((name) => path.endsWith(name));
  if (api === undefined) return send(response, { object: "list", data: [{ id: "m", object: "model" }], models: [] });
  const { whole, events } = APIS[api]({ model: asked.model, tool, text });
  return asked.stream === true ? stream(response, events) : send(response, whole);
}

function toolOf(tools = []) {
  for (const tool of tools) {
    const name = tool.name ?? tool.function?.name;
    if (name?.includes("where_am_i")) return { name };
    // Codex puts the tools of a server into a namespace.
    const inner = tool.tools?.find((one) => (one.name ?? one.function?.name)?.includes("where_am_i"));
    if (inner !== undefined) return { name: inner.name ?? inner.function.name, namespace: tool.name };
  }
  return undefined;
}

const APIS = {
  "/chat/completions": ({ model, tool, text }) => {
    const args = JSON.stringify(ARGUMENTS);
    const calls = tool && [
      { index: 0, id: "call_1", type: "function", function: { name: tool.name, arguments: args } },
    ];
    const message = calls
      ? { role: "assistant", content: null, tool_calls: calls }
      : { role: "assistant", content: text };
    const finish_reason = calls ? "tool_calls" : "stop";
    const usage = { prompt_tokens: 1, completion_tokens: 1, total_tokens: 2 };
    const base = { id: "c1", created: 1, model };
    const chunk = (delta, reason) => ({
      ...base,
      object: "chat.completion.chunk",
      choices: [{ index: 0, delta, finish_reason: reason }],
    });
    return {
      whole: { ...base, object: "chat.completion", choices: [{ index: 0, message, finish_reason }], usage },
      events: [chunk(message, null), { ...chunk({}, finish_reason), usage }, "[DONE]"],
    };
  },

  "/responses": ({ model, tool, text }) => {
    const item = tool
      ? {
          type: "function_call",
          id: "fc_1",
          call_id: "call_1",
          ...(tool.namespace && { namespace: tool.namespace }),
          name: tool.name,
          arguments: JSON.stringify(ARGUMENTS),
          status: "completed",
        }
      : {
          type: "message",
          id: "msg_1",
          role: "assistant",
          status: "completed",
          content: [{ type: "output_text", text, annotations: [] }],
        };
    const usage = {
      input_tokens: 1,
      input_tokens_details: { cached_tokens: 0 },
      output_tokens: 1,
      output_tokens_details: { reasoning_tokens: 0 },
      total_tokens: 2,
    };
    const whole = { id: "r1", object: "response", created_at: 1, model, status: "completed", output: [item], usage };
    const delta = {
      type: "response.output_text.delta",
      item_id: "msg_1",
      output_index: 0,
      content_index: 0,
      delta: text,
    };
    const events = [
      { type: "response.created", response: { ...whole, status: "in_progress", output: [] } },
      { type: "response.output_item.added", output_index: 0, item },
      ...(tool ? [] : [delta]),
      { type: "response.output_item.done", output_index: 0, item },
      { type: "response.completed", response: whole },
    ];
    return { whole, events };
  },

  "/messages": ({ model, tool, text }) => {
    const block = tool
      ? { type: "tool_use", id: "toolu_1", name: tool.name, input: ARGUMENTS }
      : { type: "text", text };
    const stop_reason = tool ? "tool_use" : "end_turn";
    const usage = { input_tokens: 1, output_tokens: 1 };
    const whole = {
      id: "msg_1",
      type: "message",
      role: "assistant",
      model,
      content: [block],
      stop_reason,
      stop_sequence: null,
      usage,
    };
    const delta = tool
      ? { type: "input_json_delta", partial_json: JSON.stringify(ARGUMENTS) }
      : { type: "text_delta", text };
    const events = [
      { type: "message_start", message: { ...whole, content: [], stop_reason: null } },
      { type: "content_block_start", index: 0, content_block: tool ? { ...block, input: {} } : { ...block, text: "" } },
      { type: "content_block_delta", index: 0, delta },
      { type: "content_block_stop", index: 0 },
      { type: "message_delta", delta: { stop_reason, stop_sequence: null }, usage },
      { type: "message_stop" },
    ];
    return { whole, events };
  },

  "/count_tokens": () => ({ whole: { input_tokens: 1 }, events: [] }),
};

function send(response, value) {
  response.writeHead(200, { "content-type": "application/json" });
  response.end(JSON.stringify(value));
}

function stream(response, events) {
  response.writeHead(200, { "content-type": "text/event-stream" });
  for (const event of events) {
    if (event.type !== undefined) response.write(`event: ${event.type}\n`);
    response.write(`data: ${typeof event === "string" ? event : JSON.stringify(event)}\n\n`);
  }
  response.end();
}
