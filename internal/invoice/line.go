package invoice

import (
	"fmt"
	"strings"

	"github.com/malgil/malgil/internal/clock"
)

// ItemName returns what was consumed (품목), such as "챗봇 메시지 발송료 2026년 11월".
func (i Invoice) ItemName() string {
	month := i.Month.In(clock.Seoul)
	return fmt.Sprintf("챗봇 메시지 발송료 %d년 %d월", month.Year(), month.Month())
}

// Remark returns what else the recipient should know (비고): whose consumption it is, and which invoice
// this one replaces and why.
func (i Invoice) Remark() string {
	remarks := []string{"월렛 " + i.WalletName}
	if i.Revision > 1 {
		remarks = append(remarks, "수정 "+i.Why)
		if i.AmendsNo != "" {
			remarks = append(remarks, "당초 승인번호 "+i.AmendsNo)
		}
	}
	return strings.Join(remarks, " / ")
}
