/**
 * A line chart of the last minute on a canvas. Its colours are the page's, read at every drawing, so that it follows
 * when the user changes between light and dark.
 *
 * @module
 */

/** Samples that are kept and shown: a minute of four a second. */
const SAMPLES = 240;
/** Room for the numbers at the left and the times below, CSS pixels. */
const LEFT_PX = 52;
const BOTTOM_PX = 20;
const TOP_PX = 6;

/** The chart. */
export class RateChart {
  #canvas;
  #colours;
  /** One array for each line, oldest first. @type {number[][]} */
  #lines;

  /**
   * @param {HTMLCanvasElement} canvas
   * @param {string[]} colours CSS variables, one for each line.
   */
  constructor(canvas, colours) {
    this.#canvas = canvas;
    this.#colours = colours;
    this.#lines = colours.map(() => []);
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** Adds a sample, one value for each line, and draws. @param {number[]} values */
  add(values) {
    for (const [i, line] of this.#lines.entries()) {
      line.push(values[i]);
      if (line.length > SAMPLES) line.shift();
    }
    this.draw();
  }

  /** Draws what there is. */
  draw() {
    const { width, height } = this.#canvas.getBoundingClientRect();
    if (width === 0) return;
    this.#canvas.width = Math.round(width * devicePixelRatio);
    this.#canvas.height = Math.round(height * devicePixelRatio);
    const context = this.#canvas.getContext("2d");
    const style = getComputedStyle(this.#canvas);
    context.scale(devicePixelRatio, devicePixelRatio);
    context.font = "11px system-ui, sans-serif";
    const top = niceTop(Math.max(4, ...this.#lines.flat()));
    const yOf = (value) => TOP_PX + (height - TOP_PX - BOTTOM_PX) * (1 - value / top);
    const xOf = (i, count) => width - (count - 1 - i) * (width - LEFT_PX) / (SAMPLES - 1);
    drawGrid(context, style, { width, height, top, yOf });
    for (const [i, line] of this.#lines.entries()) {
      context.beginPath();
      for (const [k, value] of line.entries()) context.lineTo(xOf(k, line.length), yOf(value));
      context.strokeStyle = style.getPropertyValue(this.#colours[i]);
      context.lineWidth = 2;
      context.lineJoin = "round";
      context.stroke();
    }
  }
}

function drawGrid(context, style, { width, height, top, yOf }) {
  context.strokeStyle = style.getPropertyValue("--line");
  context.fillStyle = style.getPropertyValue("--quiet");
  context.lineWidth = 1;
  context.textAlign = "right";
  context.textBaseline = "middle";
  for (let quarter = 0; quarter <= 4; quarter += 2) {
    const y = Math.round(yOf(top * quarter / 4)) + 0.5;
    context.beginPath();
    context.moveTo(LEFT_PX, y);
    context.lineTo(width, y);
    context.stroke();
    context.fillText((top * quarter / 4).toLocaleString("en"), LEFT_PX - 8, y);
  }
  context.textBaseline = "alphabetic";
  context.fillText("now", width, height - 4);
  context.textAlign = "left";
  context.fillText("1 minute ago", LEFT_PX, height - 4);
}

/** The least of 1, 1.2, 1.6, 2, 4, 6, 8 times a power of ten that is not below `value`: half of it is a round number too. */
function niceTop(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.2, 1.6, 2, 4, 6, 8, 10].find((step) => step * power >= value) * power;
}
