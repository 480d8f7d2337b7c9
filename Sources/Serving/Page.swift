import WebServer

/// The page at the server's root: a chat with a slider over the sizes and their frontier, without another program. What a
/// model or a reader writes is shown as text and never read as HTML.
enum Page {
  /// - Parameter path: `/` for the page itself, otherwise for its script.
  static func response(_ path: String) -> HTTPResponse {
    path == "/" ? answer(document, "text/html; charset=utf-8") : answer(script, "text/javascript; charset=utf-8")
  }

  private static func answer(_ text: String, _ type: String) -> HTTPResponse {
    var response = HTTPResponse(text: text, type: type)
    // Whatever a model says, nothing but this script runs.
    response.fields.append(
      (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; connect-src 'self'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'none'"
      ))
    return response
  }

  private static let document = #"""
    <!doctype html>
    <html lang="en">
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <title>stitch</title>
    <link rel="icon" href="data:,">
    <style>
      :root { color-scheme: light dark; --accent: light-dark(#2458c5, #8fb2ff); --quiet: light-dark(#5f6368, #a5a9b0); --line: light-dark(#d8dbe0, #3c4048); --own: light-dark(#eef2fb, #232a38); }
      * { box-sizing: border-box; }
      html, body { height: 100%; }
      [hidden] { display: none !important; }
      body { font: 16px/1.55 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 0 1rem; display: flex; flex-direction: column; }
      header { padding: 1rem 0 .5rem; border-bottom: 1px solid var(--line); }
      h1 { font-size: 1.1rem; margin: 0 0 .25rem; }
      #log { flex: 1 1 auto; min-height: 0; overflow-y: auto; padding: .5rem 0; }
      .message { white-space: pre-wrap; overflow-wrap: anywhere; margin: .75rem 0; }
      .user { background: var(--own); border-radius: .6rem; padding: .5rem .75rem; margin-left: 15%; }
      .note { color: var(--quiet); font-size: .85rem; margin-top: -.5rem; }
      .error { color: light-dark(#a8071a, #ff9c9c); }
      form { padding: .5rem 0 1rem; border-top: 1px solid var(--line); }
      label { display: block; font-size: .9rem; color: var(--quiet); }
      textarea, input { width: 100%; font: inherit; }
      input[type=range] { accent-color: var(--accent); }
      .buttons { display: flex; gap: .5rem; margin-top: .5rem; }
      button { font: inherit; padding: .25rem .9rem; }
      svg { width: 100%; height: auto; display: block; }
      svg text { font-size: 10px; fill: var(--quiet); }
      svg path, svg line { stroke: var(--line); fill: none; }
      svg circle { fill: var(--quiet); cursor: pointer; }
      svg circle.chosen { fill: var(--accent); }
    </style>
    <header>
      <h1>stitch</h1>
      <svg id="frontier" viewBox="0 0 480 118" role="img" aria-label="What each size costs, and how good it is"></svg>
      <label>Size: <output id="size"></output><input id="slider" type="range" min="0" value="0" aria-label="Size"></label>
    </header>
    <main id="log" aria-live="polite"></main>
    <form id="form">
      <label id="keyLabel" hidden>Key <input id="key" type="password" autocomplete="off"></label>
      <textarea id="text" rows="3" placeholder="Write a message; Enter sends, Shift-Enter begins a line" aria-label="Message"></textarea>
      <div class="buttons">
        <button id="send">Send</button> <button type="button" id="stop" disabled>Stop</button>
        <button type="button" id="clear">New chat</button>
      </div>
    </form>
    <script src="/page.js"></script>
    </html>

    """#

  private static let script = #"""
    "use strict";
    const element = (id) => document.getElementById(id);
    // What may have been measured of a size, the best first, and which of it was of all.
    const names = { quality: "right answers", agreement: "agreement with the largest" };
    let sizes = [], measure, messages = [], running = null;

    function headers() {
      const key = element("key").value;
      return { "Content-Type": "application/json", ...(key ? { Authorization: "Bearer " + key } : {}) };
    }

    function add(kind, text) {
      const line = document.createElement("div");
      line.className = "message " + kind;
      line.textContent = text;
      element("log").append(line);
      element("log").scrollTop = element("log").scrollHeight;
      return line;
    }

    function fail(text) { add("note error", text); }

    async function complaint(answer) {
      try { return (await answer.json()).error.message; } catch { return `the server answers ${answer.status}`; }
    }

    const chosen = () => sizes[element("slider").value];
    const cost = (size) => size.stitch.flops_per_token / sizes[sizes.length - 1].stitch.flops_per_token;
    const percent = (number) => `${Math.round(100 * number)} %`;

    function showSize() {
      const size = chosen();
      if (!size) return;
      const worth = measure ? `, ${names[measure]} ${percent(size.stitch[measure])}` : "";
      element("size").textContent = `${size.stitch.id}: ${percent(cost(size))} of the largest one's cost${worth}`;
      document.querySelectorAll("#frontier circle").forEach((dot, index) => {
        dot.classList.toggle("chosen", index == element("slider").value);
        dot.setAttribute("r", index == element("slider").value ? 6 : 4);
      });
    }

    function shape(name, attributes, text) {
      const made = document.createElementNS("http://www.w3.org/2000/svg", name);
      for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
      if (text !== undefined) made.textContent = text;
      return made;
    }

    // Cost from left to right; upwards what was measured, or the cost again.
    function drawFrontier() {
      const height = (size) => measure ? size.stitch[measure] : cost(size);
      const least = Math.min(...sizes.map(height)), most = Math.max(...sizes.map(height));
      const x = (size) => 36 + 430 * cost(size), y = (size) => 92 - (most > least ? 80 * (height(size) - least) / (most - least) : 40);
      const dots = sizes.map((size, index) => {
        const dot = shape("circle", { cx: x(size), cy: y(size), r: 4 });
        dot.append(shape("title", {}, `${size.stitch.id}: ${size.stitch.route}`));
        dot.addEventListener("click", () => { element("slider").value = index; showSize(); });
        return dot;
      });
      const line = sizes.map((size, index) => `${index ? "L" : "M"}${x(size)} ${y(size)}`).join("");
      element("frontier").replaceChildren(
        shape("line", { x1: 36, y1: 100, x2: 472, y2: 100 }), shape("line", { x1: 36, y1: 8, x2: 36, y2: 100 }),
        shape("text", { x: 472, y: 113, "text-anchor": "end" }, "cost of a token"),
        shape("text", { x: 40, y: 16 }, measure ? names[measure] : "cost"),
        shape("text", { x: 2, y: 16 }, percent(most)), shape("text", { x: 2, y: 96 }, percent(least)),
        shape("path", { d: line }), ...dots);
    }

    async function load() {
      let answer;
      try { answer = await fetch("/v1/models", { headers: headers() }); } catch { return fail("the server does not answer"); }
      if (answer.status == 401) element("keyLabel").hidden = false;
      if (!answer.ok) return fail(await complaint(answer));
      // What goes by the load is no place on the slider.
      const seen = new Set(), models = (await answer.json()).data.filter((size) => !size.id.endsWith("/auto"));
      sizes = models.filter((size) => !seen.has(size.stitch.id) && seen.add(size.stitch.id));
      document.title = "stitch · " + sizes[0].id.split("/")[0];
      element("slider").max = sizes.length - 1;
      element("slider").value = sizes.length - 1;
      measure = Object.keys(names).find((name) => sizes.every((size) => size.stitch[name] != null));
      drawFrontier();
      showSize();
    }

    async function reply(size, line, signal) {
      const answer = await fetch("/v1/chat/completions", {
        method: "POST", headers: headers(), signal, body: JSON.stringify({ model: size.id, messages, stream: true }),
      });
      if (!answer.ok) throw new Error(await complaint(answer));
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader(), log = element("log");
      let rest = "";
      for (let piece = await reader.read(); !piece.done; piece = await reader.read()) {
        const lines = (rest + piece.value).split("\n");
        rest = lines.pop();
        const follows = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        for (const text of lines.filter((text) => text.startsWith("data: {"))) {
          const event = JSON.parse(text.slice(6));
          if (event.error) throw new Error(event.error.message);
          line.textContent += event.choices[0]?.delta.content ?? "";
        }
        if (follows) log.scrollTop = log.scrollHeight;
      }
    }

    async function send() {
      const text = element("text").value.trim(), size = chosen();
      if (!text || running || !size) return;
      element("text").value = "";
      messages.push({ role: "user", content: text });
      add("user", text);
      const line = add("assistant", ""), start = performance.now(), chat = messages;
      running = new AbortController();
      element("stop").disabled = false;
      element("send").disabled = true;
      try { await reply(size, line, running.signal); } catch (error) { if (error.name != "AbortError") fail(error.message); }
      if (line.textContent) chat.push({ role: "assistant", content: line.textContent });
      else { chat.pop(); line.remove(); }
      if (chat === messages && line.textContent) {
        add("note", `${size.stitch.id}, ${((performance.now() - start) / 1000).toFixed(1)} s`);
      }
      running = null;
      element("stop").disabled = true;
      element("send").disabled = false;
    }

    element("form").addEventListener("submit", (event) => { event.preventDefault(); send(); });
    element("text").addEventListener("keydown", (event) => {
      if (event.key == "Enter" && !event.shiftKey && !event.isComposing) { event.preventDefault(); send(); }
    });
    element("slider").addEventListener("input", showSize);
    element("stop").addEventListener("click", () => running?.abort());
    element("clear").addEventListener("click", () => { running?.abort(); messages = []; element("log").replaceChildren(); });
    element("key").addEventListener("change", load);
    load();

    """#
}
