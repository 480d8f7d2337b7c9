import WebServer

/// The page at the server's root: a chat with a slider over the sizes, for a look at them without another program.
enum Page {
  /// - Parameter path: `/` for the page itself, otherwise for its script.
  static func response(_ path: String) -> HTTPResponse {
    path == "/" ? answer(document, "text/html; charset=utf-8") : answer(script, "text/javascript; charset=utf-8")
  }

  private static func answer(_ text: String, _ type: String) -> HTTPResponse {
    var response = HTTPResponse(text: text, type: type)
    // Whatever a model says, nothing but this script runs.
    response.fields.append(
      ("Content-Security-Policy", "default-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'none'"))
    return response
  }

  private static let document = #"""
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>stitch</title>
    <style>
      :root { color-scheme: light dark; }
      body { font: 16px/1.5 system-ui, sans-serif; max-width: 44rem; margin: 0 auto; padding: 1rem; }
      #log { min-height: 40vh; }
      .message { white-space: pre-wrap; overflow-wrap: anywhere; margin: .75rem 0; }
      .user { font-weight: 600; }
      .note { color: gray; font-size: .85rem; }
      form { position: sticky; bottom: 0; background: Canvas; padding: .5rem 0; }
      textarea, input[type=range] { width: 100%; box-sizing: border-box; font: inherit; }
      svg { width: 100%; height: 7rem; }
    </style>
    <h1>stitch</h1>
    <svg id="frontier" viewBox="0 0 400 110" role="img" aria-label="Cost of each size"></svg>
    <div id="log" aria-live="polite"></div>
    <form id="form">
      <label>Size: <output id="size"></output><input id="slider" type="range" min="0" value="0"></label>
      <textarea id="text" rows="3" placeholder="Write a message; Enter sends, Shift-Enter begins a line" aria-label="Message"></textarea>
      <button>Send</button> <button type="button" id="stop" disabled>Stop</button> <button type="button" id="clear">Clear</button>
      <label id="keyLabel" hidden>Key <input id="key" type="password" autocomplete="off"></label>
    </form>
    <script src="/page.js"></script>
    </html>

    """#

  private static let script = #"""
    "use strict";
    const element = (id) => document.getElementById(id);
    let sizes = [], messages = [], running = null;

    function headers() {
      const key = element("key").value;
      return { "Content-Type": "application/json", ...(key ? { Authorization: "Bearer " + key } : {}) };
    }

    function add(kind, text) {
      const line = document.createElement("div");
      line.className = "message " + kind;
      line.textContent = text;
      element("log").append(line);
      line.scrollIntoView({ block: "end" });
      return line;
    }

    function showSize() {
      const size = sizes[element("slider").value];
      if (!size) return;
      const cost = Math.round(100 * size.stitch.flops_per_token / sizes[sizes.length - 1].stitch.flops_per_token);
      element("size").textContent = `${size.stitch.id}, ${cost} % of the largest one's cost`;
      document.querySelectorAll("#frontier rect").forEach((bar, index) => {
        bar.setAttribute("fill", index == element("slider").value ? "royalblue" : "silver");
      });
    }

    function drawFrontier() {
      const most = sizes[sizes.length - 1].stitch.flops_per_token, width = 400 / sizes.length;
      element("frontier").replaceChildren(...sizes.map((size, index) => {
        const bar = document.createElementNS("http://www.w3.org/2000/svg", "rect");
        const height = 100 * size.stitch.flops_per_token / most;
        for (const [name, value] of Object.entries({ x: index * width + 2, y: 105 - height, width: width - 4, height }))
          bar.setAttribute(name, value);
        bar.addEventListener("click", () => { element("slider").value = index; showSize(); });
        return bar;
      }));
    }

    async function load() {
      const answer = await fetch("/v1/models", { headers: headers() });
      element("keyLabel").hidden = answer.status != 401 && !element("key").value;
      if (!answer.ok) return add("note", (await answer.json()).error.message);
      const seen = new Set();
      sizes = (await answer.json()).data.filter((size) => !seen.has(size.stitch.id) && seen.add(size.stitch.id));
      element("slider").max = sizes.length - 1;
      element("slider").value = sizes.length - 1;
      drawFrontier();
      showSize();
    }

    async function reply(line, signal) {
      const answer = await fetch("/v1/chat/completions", {
        method: "POST", headers: headers(), signal,
        body: JSON.stringify({ model: sizes[element("slider").value].id, messages, stream: true }),
      });
      if (!answer.ok) throw new Error((await answer.json()).error.message);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        const lines = (rest + piece.value).split("\n");
        rest = lines.pop();
        for (const text of lines.filter((text) => text.startsWith("data: {"))) {
          const event = JSON.parse(text.slice(6));
          if (event.error) throw new Error(event.error.message);
          line.textContent += event.choices[0]?.delta.content ?? "";
        }
      }
    }

    async function send() {
      const text = element("text").value.trim();
      if (!text || running || !sizes.length) return;
      element("text").value = "";
      messages.push({ role: "user", content: text });
      add("user", text);
      const size = sizes[element("slider").value].stitch.id, line = add("assistant", ""), start = performance.now();
      running = new AbortController();
      element("stop").disabled = false;
      try { await reply(line, running.signal); } catch (error) { if (error.name != "AbortError") add("note", error.message); }
      if (line.textContent) messages.push({ role: "assistant", content: line.textContent }); else messages.pop();
      add("note", `${size}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
      running = null;
      element("stop").disabled = true;
    }

    element("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
    element("text").addEventListener("keydown", (event) => {
      if (event.key == "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
    });
    element("slider").addEventListener("input", showSize);
    element("stop").addEventListener("click", () => running?.abort());
    element("clear").addEventListener("click", () => { messages = []; element("log").replaceChildren(); });
    element("key").addEventListener("change", load);
    load();

    """#
}
