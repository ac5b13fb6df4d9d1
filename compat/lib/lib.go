// Package lib is hashicorp/memberlist with the build tag memberlist, otherwise gwyh, under the same names, so that
// code written against lib runs on both. The two files differ only in the tag, the import and the name, which a test
// of the suite checks.
package lib
