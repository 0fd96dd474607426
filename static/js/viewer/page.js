/* The page of the viewer: joins the file's bytes, the frame that draws them, and the controls.
 *
 * Without this script, and for what goes wrong, there is the button to download. All words are the
 * page's own, in its <template>s.
 */

import { Controls } from "./controls.js";
import { Frame } from "./frame.js";
import { PIECE, Ranges } from "./ranges.js";

const stage = document.querySelector("[data-viewer]");
const back = document.querySelector("[data-back]");

/** Say what went wrong, in place of what is shown. Only the first counts. */
function fail(reason) {
  if (stage.dataset.state === "failed") return;
  const known = stage.querySelector(`template[data-reason="${CSS.escape(reason)}"]`);
  const words = known ?? stage.querySelector('template[data-reason="broken"]');
  stage.dataset.state = "failed";
  frame?.hide();
  stage.querySelector("video, audio")?.remove();
  const notice = stage.querySelector("[data-problem]");
  notice.append(words.content.cloneNode(true));
  notice.hidden = false;
}

/** Data of pdf.js that documents may need: tables of characters, standard fonts. */
const ASSETS = { cMapUrl: "cmaps/", standardFontDataUrl: "standard_fonts/" };
const ASSET_NAME = /^[\w-]{1,64}\.(?:bcmap|pfb|ttf)$/;

async function asset({ kind, name }) {
  if (!Object.hasOwn(ASSETS, kind) || !ASSET_NAME.test(name)) throw new Error("no such asset");
  const answer = await fetch(`${stage.dataset.assets}${ASSETS[kind]}${name}`, {
    credentials: "omit",
  });
  if (!answer.ok) throw new Error(`asset: ${answer.status}`);
  return answer.arrayBuffer();
}

function drawn() {
  const size = Number(stage.dataset.size);
  const ranges = new Ranges({ address: stage.dataset.address, etag: stage.dataset.etag, size });
  ranges.ahead(0, Math.min(size, PIECE));
  if (stage.dataset.kind === "pdf") {
    // Where a PDF says what is where: of a long one that takes more than the last piece.
    const last = size - (size % PIECE || PIECE);
    ranges.ahead(Math.max(last, PIECE), size);
    ranges.ahead(Math.max(last - PIECE, PIECE), last);
  }

  const serve = async (asked) => {
    if (asked.do === "asset") return asset(asked);
    try {
      return await ranges.read(asked.start, asked.stop);
    } catch (error) {
      fail(error.reason ?? "broken");
      throw error;
    }
  };
  const controls = new Controls(document.querySelector("[data-controls]"), (name, value) =>
    frame.command(name, value),
  );
  const tell = (said) => {
    if (said.do === "failed") return fail(String(said.reason));
    if (said.do === "leave") return back.focus();
    if (said.do !== "shown" || stage.dataset.state === "failed") return;
    if (stage.dataset.state !== "shown") performance.mark("shown");
    stage.dataset.state = "shown";
    controls.state(said);
    const cut = stage.querySelector("[data-cut]");
    if (cut) cut.hidden = said.cut !== true;
  };
  const { kind, frame: address, title, ...rest } = stage.dataset;
  const words = { label: title, page: rest.pageLabel };
  return new Frame(stage, { address, title, first: { kind, size, words }, serve, tell });
}

addEventListener("keydown", (event) => {
  const open = document.querySelector("header details[open]");
  if (event.key === "Escape" && !event.defaultPrevented && !open) back.click();
});

let frame = null;
const played = stage.querySelector("video, audio");
if (played) {
  played.addEventListener("error", () => fail("broken"));
  played.addEventListener("loadeddata", () => (stage.dataset.state = "shown"));
  // Either may have happened before this script came.
  if (played.error) fail("broken");
  else if (played.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) stage.dataset.state = "shown";
} else {
  frame = drawn();
}
