// Package outcome lets a component return what it wants done instead of calling the code that calls it. It has no
// clock, lock or goroutine.
package outcome

// A Buffer holds the outcomes that are being worked through. The zero value is empty. It belongs to the code that acts
// on the outcomes; the component only appends to it.
type Buffer[T any] []T

// Work calls act with each outcome that one input has appended to b, in order. out is what the input returned. act may
// give the component a further input and call Work for it. All outcomes of that input come before the next outcome of
// this one, so that things happen in the order in which they were caused.
func (b *Buffer[T]) Work(out []T, act func(*T)) {
	begin := len(*b)
	if len(out) == begin {
		return
	}
	*b = out
	for i := range out[begin:] {
		act(&out[begin+i])
	}
	clear((*b)[begin:])
	*b = (*b)[:begin]
}
