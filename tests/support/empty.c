/* SPDX-License-Identifier: Apache-2.0
 * Nothing: what is compiled is a header, by -include.
 */
typedef int nothing;
