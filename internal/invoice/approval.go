package invoice

import "strings"

// approvalDigits is how long the tax office's approval number is: a date, who issued, a serial number.
const approvalDigits = 24

// ParseApproval returns an approval number (승인번호) of the tax office without the dashes that some write it
// with; false when it is none. Letters may be in it.
func ParseApproval(text string) (number string, ok bool) {
	number = strings.ReplaceAll(strings.TrimSpace(text), "-", "")
	return number, len(number) == approvalDigits && !strings.ContainsFunc(number, func(r rune) bool {
		return !('0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z')
	})
}
