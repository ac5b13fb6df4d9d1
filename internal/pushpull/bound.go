package pushpull

import (
	"github.com/gwyh-go/gwyh/internal/memory"
	"github.com/gwyh-go/gwyh/internal/wire"
)

// Bound returns the maximum memory of an Exchanger in bytes: the states of the application on their way in or out, and the
// entries that wait for a verdict, of which each name has two. messageMax and metaMax are the maximum sizes of a message
// and of metadata.
func Bound(messageMax, metaMax int) int {
	votes := VotesMax * 2 * (int(memory.Of[Vote]()) + metaMax + wire.NameMax + wire.ZoneMax)
	return (TheirsSize+oursMax)*messageMax + votes + (TheirsMax+2*oursMax)*int(memory.Of[Exchange]())
}
