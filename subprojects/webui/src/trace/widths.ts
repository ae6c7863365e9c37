// SPDX-License-Identifier: Apache-2.0
// Sizes that the rows of names and the canvas of bars share.
import { signal } from '@preact/signals';
import { store, stored } from '../lib/stored';

export const ROW = 24,
  INDENT = 13;
const MIN = 140;
export const nameWidth = signal(Math.max(MIN, Math.min(900, Number(stored('names')) || 380)));

export function setNameWidth(width: number, most: number): void {
  nameWidth.value = Math.max(MIN, Math.min(most - 160, width));
}
export function keepNameWidth(): void {
  store('names', String(nameWidth.value));
}
