import { Buffer } from 'node:buffer'
import { encode } from 'jpeg-js'

const width = 320
const height = 240
const quality = 80

/** 5 × 7 dots a sign: seven rows from the top, five bits each, the highest bit at the left. */
const font: { readonly [sign: string]: readonly number[] } = {
  A: [14, 17, 17, 31, 17, 17, 17],
  B: [30, 17, 17, 30, 17, 17, 30],
  C: [14, 17, 16, 16, 16, 17, 14],
  D: [30, 17, 17, 17, 17, 17, 30],
  E: [31, 16, 16, 30, 16, 16, 31],
  F: [31, 16, 16, 30, 16, 16, 16],
  G: [14, 17, 16, 23, 17, 17, 15],
  H: [17, 17, 17, 31, 17, 17, 17],
  I: [14, 4, 4, 4, 4, 4, 14],
  J: [7, 2, 2, 2, 2, 18, 12],
  K: [17, 18, 20, 24, 20, 18, 17],
  L: [16, 16, 16, 16, 16, 16, 31],
  M: [17, 27, 21, 21, 17, 17, 17],
  N: [17, 25, 21, 19, 17, 17, 17],
  O: [14, 17, 17, 17, 17, 17, 14],
  P: [30, 17, 17, 30, 16, 16, 16],
  Q: [14, 17, 17, 17, 21, 18, 13],
  R: [30, 17, 17, 30, 20, 18, 17],
  S: [15, 16, 16, 14, 1, 1, 30],
  T: [31, 4, 4, 4, 4, 4, 4],
  U: [17, 17, 17, 17, 17, 17, 14],
  V: [17, 17, 17, 17, 17, 10, 4],
  W: [17, 17, 17, 21, 21, 27, 17],
  X: [17, 17, 10, 4, 10, 17, 17],
  Y: [17, 17, 10, 4, 4, 4, 4],
  Z: [31, 1, 2, 4, 8, 16, 31],
  0: [14, 17, 19, 21, 25, 17, 14],
  1: [4, 12, 4, 4, 4, 4, 14],
  2: [14, 17, 1, 6, 8, 16, 31],
  3: [30, 1, 1, 14, 1, 1, 30],
  4: [2, 6, 10, 18, 31, 2, 2],
  5: [31, 16, 30, 1, 1, 17, 14],
  6: [6, 8, 16, 30, 17, 17, 14],
  7: [31, 1, 2, 4, 8, 8, 8],
  8: [14, 17, 17, 14, 17, 17, 14],
  9: [14, 17, 17, 15, 1, 2, 12],
  '-': [0, 0, 0, 31, 0, 0, 0],
  ':': [0, 4, 4, 0, 4, 4, 0],
  '.': [0, 0, 0, 0, 0, 12, 12],
  '/': [1, 1, 2, 4, 8, 16, 16],
  '#': [10, 10, 31, 10, 31, 10, 10],
  ' ': [0, 0, 0, 0, 0, 0, 0],
}
/** A box for every sign that the font lacks. */
const unknown = [31, 17, 17, 17, 17, 17, 31]

type Colour = readonly [red: number, green: number, blue: number]

/** Dark enough for white text, far enough apart to be told at a glance. */
const backgrounds: readonly Colour[] = [
  [24, 60, 110],
  [110, 40, 30],
  [30, 90, 50],
  [90, 40, 110],
  [110, 80, 20],
  [20, 95, 100],
]

class Canvas {
  readonly pixels = Buffer.alloc(width * height * 4, 255)

  fill(colour: Colour): void {
    for (let at = 0; at < width * height; at++) this.pixels.set(colour, at * 4)
  }

  /** White text from (left, top), each dot `size` pixels wide; what doesn't fit is cut off. */
  write(text: string, left: number, top: number, size: number): void {
    for (const [index, sign] of [...text.toUpperCase()].entries())
      for (const [row, bits] of (font[sign] ?? unknown).entries())
        for (let column = 0; column < 5; column++)
          if (bits & (16 >> column)) this.#dot(left + (index * 6 + column) * size, top + row * size, size)
  }

  #dot(left: number, top: number, size: number): void {
    for (let y = top; y < Math.min(top + size, height); y++)
      for (let x = left; x < Math.min(left + size, width); x++)
        this.pixels.set([255, 255, 255], (y * width + x) * 4)
  }
}

/** A JPEG of 320 × 240 that shows where the camera looks and when. `number` picks the background. */
export const takePicture = (title: string, number: number, at: number): Buffer => {
  const canvas = new Canvas()
  canvas.fill(backgrounds[number % backgrounds.length] as Colour)
  // As large as the width allows; 25 signs fit at size 2.
  const size = Math.max(2, Math.min(4, Math.floor((width - 16) / (title.length * 6))))
  canvas.write(title, 16, 60, size)
  const [date = '', time = ''] = new Date(at).toISOString().replace('Z', '').split('T')
  canvas.write(date, 16, 140, 3)
  canvas.write(`${time} UTC`, 16, 176, 3)
  return encode({ data: canvas.pixels, width, height }, quality).data
}
