import { PAGE_BYTES } from '@muster/contracts';

/**
 * SQL: of the rows of a page, in their `order` (the greatest `id` first unless told), as many as one answer may carry; the first of all in any
 * case. The others are left out where they are, so that a page of large rows does not fill the memory of whoever asks. The rows have two
 * columns more, `page_bytes` and `page_row`.
 */
export const fittingRows = (rows: string, order = 'id DESC'): string =>
  `SELECT * FROM (
     SELECT p.*, sum(octet_length(p::text)) OVER page AS page_bytes, row_number() OVER page AS page_row
     FROM (${rows}) p WINDOW page AS (ORDER BY ${order})
   ) p WHERE p.page_bytes <= ${PAGE_BYTES} OR p.page_row = 1 ORDER BY p.page_row`;
