package delivery

import (
	"fmt"

	"github.com/gwyh-go/gwyh/internal/assembly"
	"github.com/gwyh-go/gwyh/internal/pmtu"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Sizes in bytes.
const (
	MessageMax = assembly.MessageMax         // of a message
	ControlMax = pmtu.Max - wire.BoxOverhead // of a control plaintext that is sent in pieces
	LegacyMax  = 21_000                      // of a broadcast that every gwyh 0.1 node accepts
)

// TooLargeError reports that a message exceeds a size limit.
type TooLargeError struct{ Size, Max int }

func (e *TooLargeError) Error() string {
	return fmt.Sprintf("message of %d bytes is larger than %d", e.Size, e.Max)
}
