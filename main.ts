// For whoever types `node main.ts`: the program begins in JavaScript, and main.js says why.
import './main.js'
