/** The code of a page, fetched when it is first opened, did not come: the server is away, or has another version now. */
export class PageCodeMissing extends Error {
  constructor(cause: unknown) {
    // Not the browser's own words: the router takes those as a reason to load the whole page again, which is lost then.
    super('the code of this page did not come', { cause });
    this.name = 'PageCodeMissing';
  }
}

const WORDS = /dynamically imported module|module script|preload CSS/i;

/** Waits for fetched code; a failure to fetch it becomes PageCodeMissing, a failure within it stays what it is. */
export async function codeOf<T>(fetched: Promise<T>): Promise<T> {
  try {
    return await fetched;
  } catch (error) {
    throw error instanceof Error && WORDS.test(error.message) ? new PageCodeMissing(error) : error;
  }
}
