import type { Unread } from './compile.ts'
import type { SiteConfig } from './config.ts'
import type { Problem } from './explain.ts'
import type { Site } from './site.ts'

/** How much of the config could be put together. */
export interface Extent {
  /** Nothing was left out: what is said of the whole is true. */
  readonly whole: boolean
  readonly unread: Unread
}

/** Checks the parts of a config against each other. Pure. */
export const checkSite = (_config: SiteConfig, _site: Site, _extent: Extent): Problem[] => []
