/** What the program takes from here: everything else is reached over HTTP. */
export { makeMeter } from './metrics.ts'
export { type Api, type ApiOptions, startApi } from './start.ts'
