/** Where the pages hang: the service writes a <base>, so everything works below any URL prefix. */

const root = new URL(document.baseURI);

/** The prefix, with a slash at the end: `/` or `/weft/`. */
export const BASE_PATH = root.pathname.endsWith("/") ? root.pathname : `${root.pathname}/`;

/** The address of something of the service, given without a slash in front. */
export const addressOf = (path: string): string => new URL(path, root.origin + BASE_PATH).href;
