/* What a picture is, by its first bytes, and how many pixels it has: before a decoder is let at it,
 * whatever its name and its type say. SVG is none of these.
 */

const ascii = (bytes, at, length) => String.fromCharCode(...bytes.subarray(at, at + length));

function png(view) {
  return { type: "image/png", width: view.getUint32(16), height: view.getUint32(20) };
}

function gif(view) {
  return { type: "image/gif", width: view.getUint16(6, true), height: view.getUint16(8, true) };
}

function bmp(view) {
  const [width, height] = [view.getInt32(18, true), view.getInt32(22, true)];
  return { type: "image/bmp", width: Math.abs(width), height: Math.abs(height) };
}

/** ITU T.81, B.2.2: the frame header of whichever process, among the segments before it. */
function jpeg(view) {
  for (let at = 2; at + 9 < view.byteLength; ) {
    if (view.getUint8(at) !== 0xff) return null;
    const marker = view.getUint8(at + 1);
    const tables = [0xc4, 0xc8, 0xcc].includes(marker);
    if (marker >= 0xc0 && marker <= 0xcf && !tables) {
      const [height, width] = [view.getUint16(at + 5), view.getUint16(at + 7)];
      return { type: "image/jpeg", width, height };
    }
    // Fill bytes stand alone; other segments tell their length.
    at += marker === 0xff ? 1 : 2 + view.getUint16(at + 2);
  }
  return null;
}

/** RFC 9649: lossy, lossless, extended. */
function webp(view, bytes) {
  const type = "image/webp";
  const kind = ascii(bytes, 12, 4);
  if (kind === "VP8 ") {
    const [width, height] = [view.getUint16(26, true), view.getUint16(28, true)];
    return { type, width: width & 0x3fff, height: height & 0x3fff };
  }
  if (kind === "VP8L") {
    const bits = view.getUint32(21, true);
    return { type, width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 };
  }
  if (kind !== "VP8X") return null;
  const whole = (at) => view.getUint16(at, true) + view.getUint8(at + 2) * 65536 + 1;
  return { type, width: whole(24), height: whole(27) };
}

/** ISO/IEC 23008-12, 6.5.3: the largest `ispe`, since those of tiles are there as well. */
function avif(view, bytes) {
  let found = null;
  for (let at = 8; at + 16 <= bytes.length; at += 1) {
    if (bytes[at] !== 0x69 || ascii(bytes, at, 4) !== "ispe") continue;
    const [width, height] = [view.getUint32(at + 8), view.getUint32(at + 12)];
    if (!found || width * height > found.width * found.height) {
      found = { type: "image/avif", width, height };
    }
  }
  return found;
}

/** `{type, width, height}` of a picture that may be shown; null of anything else. */
export function measure(bytes) {
  if (bytes.length < 30) return null;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = sorted(view, bytes);
  return found && found.width > 0 && found.height > 0 ? found : null;
}

function sorted(view, bytes) {
  if (view.getUint32(0) === 0x89504e47) return ascii(bytes, 12, 4) === "IHDR" ? png(view) : null;
  if (view.getUint32(0) >>> 8 === 0xffd8ff) return jpeg(view);
  if (ascii(bytes, 0, 4) === "GIF8") return gif(view);
  if (ascii(bytes, 0, 4) === "RIFF" && ascii(bytes, 8, 4) === "WEBP") return webp(view, bytes);
  if (ascii(bytes, 4, 4) === "ftyp" && /avi[fs]/.test(ascii(bytes, 8, 24))) return avif(view, bytes);
  if (ascii(bytes, 0, 2) === "BM") return bmp(view);
  return null;
}
