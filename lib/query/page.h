/* SPDX-License-Identifier: Apache-2.0
 * The built-in page (page/index.html), embedded at build.
 */
#ifndef JG_QUERY_PAGE_H
#define JG_QUERY_PAGE_H

#include <stddef.h>

extern const unsigned char jg_query_page[];
extern const size_t jg_query_page_len;

#endif
