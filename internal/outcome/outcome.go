// Package outcome lets a component return requests to its caller instead of calling it. It owns only the buffer of
// the requests, and never reads a clock, locks or starts a goroutine.
package outcome

// A Buffer contains the outcomes that are being processed. The zero value is empty. It belongs to the code that
// processes the outcomes; the component only appends to it.
type Buffer[T any] []T

// Work calls act, in order, for each outcome that an input has appended to b. out is the result of the input. act
// may pass a further input to the component and call Work for its outcomes. They are processed before the next
// outcome of this call, so effects occur in the order of their causes.
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
