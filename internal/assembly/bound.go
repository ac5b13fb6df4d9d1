package assembly

import "github.com/gwyh-go/gwyh/internal/memory"

// Bound returns the maximum memory of a Store in bytes.
func Bound() int {
	return StoreMax + StoreCount*int(memory.Of[Assembly]()+64) + listMax*int(memory.Of[[]byte]())
}
