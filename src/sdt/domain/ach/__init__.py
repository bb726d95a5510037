"""What ACH entries obey: the Federal Reserve's calendar, and what each code of a return or change means for us."""
